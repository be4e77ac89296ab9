"""One run of a study as a frozen value: its scores with their place in the study, what happened in it, what it cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrfusion.class_metrics._votes import Votes
from mrfusion.comparison.fairness import RunFacts
from mrfusion.comparison.health import Health, health
from mrfusion.errors import InputError
from mrfusion.result import TARGET_VOLUME, CaseScore, ScoreRow
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.scoring.pooled import Answered

State = Literal["done", "missing", "unreadable"]
ALL = "*"  # the case of a row that is about all test cases together


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
    def health(self) -> Health:
        """Whether it went well enough to be compared, see :mod:`mrfusion.comparison.health`."""
        return health([(epoch, str(name), value) for epoch, name, value in self.history], self.scores, self.environment)

    @property
    def slices(self) -> list[Path]:
        """The pictures of the test cases, in their order; empty where none were written."""
        return self.folder.slices if self.state == "done" else []


def load_run(study: StudyFolder, planned: Mapping[str, Any], patients: Mapping[str, str]) -> LoadedRun:
    """The run that answers a cell of a study; one that cannot be read is said to be so."""
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


def answered_by(run: LoadedRun, patients: Mapping[str, str]) -> Answered | None:
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


def facts_of(run: LoadedRun) -> RunFacts:
    """What a finished run was, for a comparison of the terms of arms."""
    data = run.spec.get("data")
    fingerprint = str(data.get("fingerprint", "")) if isinstance(data, Mapping) else ""
    cases = frozenset(row.case for row in run.scores)
    return RunFacts(run.arm, run.fold, cases, str(run.spec.get("plan", "")), fingerprint, run.environment)
