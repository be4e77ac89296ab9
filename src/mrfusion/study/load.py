"""A study's folder as frozen values: what was planned, what was run, what is missing or cannot be read."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mrfusion.comparison import aggregate
from mrfusion.comparison.aggregate import ArmMean, CaseRow, PairedRow
from mrfusion.comparison.compare import Comparison, compare
from mrfusion.comparison.fairness import FOREIGN, Fairness, differing, examine
from mrfusion.comparison.health import ArmHealth, arm_health
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.spending import Spending
from mrfusion.comparison.verdict import yardstick
from mrfusion.errors import InputError
from mrfusion.part import merge, read_part
from mrfusion.result import TARGET_VOLUME, ScoreRow
from mrfusion.run_folder.searches import SearchAccount
from mrfusion.run_folder.study import StudyFolder
from mrfusion.scoring.pooled import Answered, pooled_scores
from mrfusion.study.forms import check_forms
from mrfusion.study.frozen import Added, added_from
from mrfusion.study.load_run import LoadedRun, answered_by, facts_of, load_run
from mrfusion.study.rules_of_runs import OtherRules, rules_of_runs


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


@dataclass(frozen=True, eq=False)
class LoadedStudy:
    """A study folder. ``splits_digest`` is the SHA-256 of splits.json, so that two reports can be told apart.

    ``frozen`` is the digest of the plan that was frozen before the first run, and ``added`` what goes beyond it; empty
    and None where none was. ``stopping`` says of a study that stops when it is decided what its last look found, and
    ``seeds`` are all that it may come to. ``scorings`` are the same trainings scored otherwise, by the scoring's name.
    """

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
    base: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    frozen: str = ""
    added: Added | None = None
    stopping: Mapping[str, Any] | None = None
    scorings: Mapping[str, "LoadedStudy"] = field(default_factory=dict)
    other_rules: OtherRules = field(default_factory=OtherRules)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every arm against the reference, see :func:`mrfusion.comparison.compare.compare`."""
        rule = Spending(most_seeds=len(self.seeds)) if self.stopping else None
        planned = {arm.name: {(r.fold, r.seed) for r in self.runs if r.arm == arm.name} for arm in self.arms}
        return tuple(compare(self.judged, self.reference, self.hypotheses, spending=rule, planned=planned))

    @cached_property
    def judged(self) -> tuple[ScoreRow, ...]:
        """The scores that comparisons are made of: of the study's arms, with the pooled ones of a classification."""
        known = {arm.name for arm in self.arms}
        return tuple(row for row in (*self.scores, *pooled_scores(self.answered)) if row.arm in known)

    @cached_property
    def answered(self) -> tuple[Answered, ...]:
        """What the finished runs of a classification answered; empty for masks."""
        patients = {case.id: case.patient for case in self.cases}
        return tuple(found for run in self.done if (found := answered_by(run, patients)) is not None)

    @cached_property
    def fairness(self) -> Fairness:
        """Whether the arms met on equal terms, see :func:`mrfusion.comparison.fairness.examine`."""
        return examine([facts_of(run) for run in self.done], self.reference, self.changed)

    @cached_property
    def changed(self) -> dict[str, tuple[str, ...]]:
        """Arm to the keys of its specification that differ from the reference's."""
        whole = {arm.name: merge(self.base, arm.changes) for arm in self.arms}
        return {name: differing(content, whole[self.reference]) for name, content in whole.items()}

    @cached_property
    def health(self) -> dict[str, ArmHealth]:
        """Arm to the health of its finished runs, see :func:`mrfusion.comparison.health.health`."""
        return {arm.name: arm_health(arm.name, [run.health for run in self.runs_of(arm.name)]) for arm in self.arms}

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
    def nowhere(self) -> tuple[str, ...]:
        """The regions that no target of the scored cases holds, where the runs measured the target."""
        there = {row.region for row in self.scores if row.in_target}
        return tuple(name for name in self.regions if self.knows_absent_regions and name not in there)

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
        return any(run.environment and FOREIGN not in run.environment for run in self.done)

    @property
    def done(self) -> tuple[LoadedRun, ...]:
        """The finished runs."""
        return tuple(run for run in self.runs if run.state == "done")

    @cached_property
    def trained(self) -> tuple[LoadedRun, ...]:
        """The finished runs of the arms that were trained here."""
        return tuple(run for run in self.done if run.arm not in self.fairness.unknown)

    def runs_of(self, arm: str) -> tuple[LoadedRun, ...]:
        """The finished runs of one arm."""
        return tuple(run for run in self.done if run.arm == arm)


def load_study(folder: Path | str) -> LoadedStudy:
    """Read a study's folder. A run that is absent or unreadable is said to be so; InputError if the study itself is."""
    here = StudyFolder(Path(folder))
    study, cohort = here.read_design(), here.read_cohort()
    check_forms(study, cohort, here)
    try:
        known = here.read_hashes()
        cases = tuple(StudyCase(c["id"], c["patient"], known[c["id"]]) for c in cohort["cases"])
        patients = {case.id: case.patient for case in cases}
        searches = here.read_searches()
        found = LoadedStudy(
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
            runs=_with_searches(searches, tuple(load_run(here, planned, patients) for planned in study["plan"])),
            searches=searches,
            hypotheses=_hypotheses(study, here.design),
            base=study["base"],
            seeds=tuple(study["seeds"]),
            frozen=study.get("frozen", ""),
            added=added_from(study["added"]) if "added" in study else None,
            stopping=study.get("stopping"),
            other_rules=rules_of_runs(here, {str(cell["digest"]) for cell in study["plan"]}),
        )
        return replace(found, scorings=_scored_otherwise(found, study.get("scored", ()), patients))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"expected study.json, cohort.json and splits.json of a study at {folder}, found files of another form "
            f"({error}); write the folder anew with `mrfusion study`"
        ) from None


def _scored_otherwise(
    found: LoadedStudy, cells: Iterable[Mapping[str, Any]], patients: Mapping[str, str]
) -> dict[str, LoadedStudy]:
    """The study with the runs of each further scoring in place of its own, whose first metric decides."""
    grouped: dict[str, list[LoadedRun]] = {}
    for cell in cells:
        grouped.setdefault(str(cell["scoring"]), []).append(load_run(found.folder, cell, patients))
    declared = found.hypotheses.model_copy(update={"metrics": ()})
    return {
        name: replace(found, runs=tuple(runs), hypotheses=declared, added=found.added and found.added.by(name))
        for name, runs in grouped.items()
    }


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
