"""A study's folder as frozen values: what was planned, what was run, what is missing or cannot be read."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrfusion.class_metrics._votes import Votes
from mrfusion.comparison import aggregate
from mrfusion.comparison.aggregate import ArmMean, CaseRow, PairedRow
from mrfusion.comparison.compare import Comparison, compare
from mrfusion.comparison.fairness import Fairness, RunFacts, examine
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.verdict import yardstick
from mrfusion.errors import InputError
from mrfusion.part import read_part
from mrfusion.result import CaseScore, ScoreRow
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.searches import SearchAccount
from mrfusion.run_folder.study import StudyFolder
from mrfusion.scoring.pooled import Answered, pooled_scores

State = Literal["done", "missing", "unreadable"]
ALL = "*"  # the case of a row that is about all test cases together
TARGET_VOLUME = "target_volume_mm3"  # the metric that tells which regions a target lacks


@dataclass(frozen=True)
class Arm:
    """One arm: its name and what it changes against the study's base."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class StudyCase:
    """One case as the study knew it; ``fingerprint`` is of its prepared images."""

    id: str
    patient: str
    fingerprint: str


@dataclass(frozen=True)
class LoadedRun:
    """One planned run. ``problem`` says why an unreadable one is so; a missing one has neither scores nor history.

    ``history`` holds (epoch, quantity, value); ``cohort_scores`` what was scored on all test cases together, as
    (region or class, metric, value).
    """

    arm: str
    fold: int
    seed: int
    digest: str
    folder: RunFolder
    state: State = "missing"
    problem: str = ""
    scores: tuple[ScoreRow, ...] = ()
    history: tuple[tuple[int, Quantity, float], ...] = ()
    cohort_scores: tuple[tuple[str, str, float], ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slices(self) -> list[Path]:
        """The pictures of the test cases, in their order; empty where none were written."""
        return self.folder.slices if self.state == "done" else []


@dataclass(frozen=True)
class LoadedStudy:
    """A study folder. ``splits_digest`` is the SHA-256 of splits.json, so that two reports can be told apart."""

    folder: StudyFolder
    name: str
    question: str
    arms: tuple[Arm, ...]
    reference: str
    cases: tuple[StudyCase, ...]
    modalities: tuple[str, ...]
    cohort_regions: tuple[str, ...]
    splits_digest: str
    fingerprint: str
    runs: tuple[LoadedRun, ...]
    searches: tuple[SearchAccount, ...]
    hypotheses: Hypotheses

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every arm against the reference, see :func:`mrfusion.comparison.compare.compare`."""
        known = {arm.name for arm in self.arms}
        rows = [row for row in (*self.scores, *pooled_scores(self.answered)) if row.arm in known]
        return tuple(compare(rows, self.reference, self.hypotheses))

    @cached_property
    def answered(self) -> tuple[Answered, ...]:
        """What the finished runs of a classification answered; empty for masks."""
        patients = {case.id: case.patient for case in self.cases}
        return tuple(found for run in self.done if (found := _answered(run, patients)) is not None)

    @cached_property
    def fairness(self) -> Fairness:
        """Whether the arms met on equal terms, see :func:`mrfusion.comparison.fairness.examine`."""
        return examine([_facts(run) for run in self.done], self.reference)

    @cached_property
    def scores(self) -> tuple[ScoreRow, ...]:
        """Every score of every finished run."""
        return tuple(row for run in self.runs for row in run.scores)

    @cached_property
    def case_rows(self) -> tuple[CaseRow, ...]:
        """The cases' means over runs, see :func:`mrfusion.comparison.aggregate.case_table`."""
        return tuple(aggregate.case_table(self.scores))

    @cached_property
    def arm_means(self) -> dict[tuple[str, str, str], ArmMean]:
        """(arm, metric, region) to its mean over patients."""
        return {(m.arm, m.metric, m.region): m for m in aggregate.arm_means(self.scores)}

    @cached_property
    def paired(self) -> tuple[PairedRow, ...]:
        """Every case under an arm beside the same case under the reference."""
        return tuple(aggregate.paired(self.case_rows, self.reference))

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], float]:
        """(arm, metric, region) to the mean difference to the reference over the patients that both have."""
        return aggregate.mean_differences(self.paired)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics there are scores of that can be better or worse; the first ranks: ``dice`` where it is there."""
        found = [name for name in dict.fromkeys(row.metric for row in self.scores) if yardstick(name) is not None]
        return tuple(sorted(found, key=lambda name: name != "dice"))

    @cached_property
    def compared_metrics(self) -> tuple[str, ...]:
        """The metrics there are comparisons by: those of single cases, then those of all cases together."""
        return tuple(dict.fromkeys([*self.metrics, *(row.metric for row in self.comparisons)]))

    @cached_property
    def knows_absent_regions(self) -> bool:
        """Whether the runs measured the target, so that cases without a region can be told apart."""
        return any(row.metric == TARGET_VOLUME for row in self.scores)

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The regions there are scores of, in the order of the scores, without the mean over them."""
        return tuple(dict.fromkeys(row.region for row in self.scores if row.metric in self.metrics))

    @cached_property
    def drawn_regions(self) -> tuple[str, ...]:
        """The cohort's regions, those with scores first and in their order (JSON sorts the cohort's own)."""
        scored = [name for name in self.regions if name in self.cohort_regions]
        return tuple(dict.fromkeys([*scored, *self.cohort_regions]))

    @property
    def trained_here(self) -> bool:
        """Whether any run was trained by mrfusion, so that its terms are known."""
        return any(run.environment for run in self.done)

    @property
    def done(self) -> tuple[LoadedRun, ...]:
        """The finished runs."""
        return tuple(run for run in self.runs if run.state == "done")

    def runs_of(self, arm: str) -> tuple[LoadedRun, ...]:
        """The finished runs of one arm."""
        return tuple(run for run in self.done if run.arm == arm)


def load_study(folder: Path | str) -> LoadedStudy:
    """Read a study's folder. A run that is absent or unreadable is said to be so; InputError if the study itself is."""
    here = StudyFolder(Path(folder))
    study, cohort = here.read_design(), here.read_cohort()
    try:
        known = here.read_hashes()
        cases = tuple(StudyCase(c["id"], c["patient"], known[c["id"]]) for c in cohort["cases"])
        patients = {case.id: case.patient for case in cases}
        searches = here.read_searches()
        return LoadedStudy(
            folder=here,
            name=study["name"],
            question=study["question"] or usual_question([a["name"] for a in study["arms"]]),
            arms=tuple(Arm(a["name"], a["changes"]) for a in study["arms"]),
            reference=study["reference"],
            cases=cases,
            modalities=tuple(cohort["modalities"]),
            cohort_regions=tuple(name for name, _ in cohort["regions"]),
            splits_digest=hashlib.sha256(here.splits.read_bytes()).hexdigest(),
            fingerprint=str(cohort.get("fingerprint") or ""),
            runs=_with_searches(searches, tuple(_run(here, planned, patients) for planned in study["plan"])),
            searches=searches,
            hypotheses=_hypotheses(study, here.design),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"expected study.json, cohort.json and splits.json of a study at {folder}, found files of another form "
            f"({error}); write the folder anew with `mrfusion study`"
        ) from None


def _hypotheses(study: Mapping[str, Any], path: Path) -> Hypotheses:
    """What the study declared; versions up to 0.1.0 called it ``family``."""
    key = "family" if "family" in study else "hypotheses"
    return read_part(Hypotheses, study.get(key) or {}, f"{path}: {key}")


def _with_searches(searches: Iterable[SearchAccount], runs: Iterable[LoadedRun]) -> tuple[LoadedRun, ...]:
    """The runs; those that try the answer of a search, and train nothing, with what the whole search cost."""
    spent = {(search.arm, search.fold, search.seed): search.spent for search in searches}
    return tuple(
        replace(run, environment={**run.environment, **spent.get((run.arm, run.fold, run.seed), {})}) for run in runs
    )


def usual_question(arms: list[str]) -> str:
    """What a study asks that does not say so itself."""
    if len(arms) == 1:
        return f"How good is {arms[0]}?"
    return (
        f"Which is best: {', '.join(arms[:-1])} or {arms[-1]}?"
        if len(arms) <= 4
        else f"Which of {len(arms)} arms is best?"
    )


def _run(study: StudyFolder, planned: Mapping[str, Any], patients: Mapping[str, str]) -> LoadedRun:
    home = study.run(str(planned["digest"]))
    run = LoadedRun(planned["arm"], int(planned["fold"]), int(planned["seed"]), home.digest, home)
    if not home.is_done:
        return run
    try:
        scores = home.read_scores()
        return replace(
            run,
            state="done",
            scores=_scores(run, scores, patients),
            cohort_scores=tuple((s.region, s.metric, s.value) for s in scores if s.case == ALL),
            history=tuple(home.read_history().rows),
            environment=home.read_environment(),
            spec=home.read_spec_values(),
        )
    except (InputError, KeyError, TypeError, ValueError) as error:
        problem = str(error) if isinstance(error, InputError) else f"{home.path}: {error!r}"
        return replace(run, state="unreadable", problem=problem)


def _scores(run: LoadedRun, scores: Iterable[CaseScore], patients: Mapping[str, str]) -> tuple[ScoreRow, ...]:
    """The scores of cases with their place in the study, and whether the target holds the region."""
    given = [score for score in scores if score.case != ALL]
    absent = {(s.case, s.region) for s in given if s.metric == TARGET_VOLUME and s.value == 0}
    return tuple(
        ScoreRow(
            arm=run.arm,
            fold=run.fold,
            seed=run.seed,
            case=score.case,
            patient=patients[score.case],
            region=score.region,
            metric=score.metric,
            value=score.value,
            status=score.status,
            in_target=(score.case, score.region) not in absent,
        )
        for score in given
    )


def _answered(run: LoadedRun, patients: Mapping[str, str]) -> Answered | None:
    """The answers of a classification on the cases whose class is known; None for masks, or where none is known."""
    if not run.folder.has_probabilities:
        return None
    classes, answers = run.folder.read_probabilities()
    known = [answer for answer in answers if answer.target and answer.case in patients]
    if not known:
        return None
    targets = np.array([classes.index(answer.target) for answer in known])
    votes = Votes(np.array([answer.probabilities for answer in known]), targets, classes)
    cases = tuple(answer.case for answer in known)
    return Answered(run.arm, run.fold, run.seed, cases, tuple(patients[case] for case in cases), votes)


def _facts(run: LoadedRun) -> RunFacts:
    data = run.spec.get("data")
    fingerprint = str(data.get("fingerprint", "")) if isinstance(data, Mapping) else ""
    cases = frozenset(row.case for row in run.scores)
    return RunFacts(run.arm, run.fold, cases, str(run.spec.get("plan", "")), fingerprint, run.environment)
