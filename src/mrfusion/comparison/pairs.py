"""Paired differences as arrays: which patients, tested in which fold, under which of the runs that both arms finished.

Scores are paired by case, fold and seed, and a patient's difference under a seed is the mean over the patient's cases.
Only complete cells count: a run (one fold, one seed) that both arms have finished, and in it the patients that have a
score under both arms in every run of their fold. What is left out is named, never filled in.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mrfusion.comparison.aggregate import with_mean_region
from mrfusion.comparison.interval import Differences
from mrfusion.result import ScoreRow

Key = tuple[str, str, str]  # arm, region, metric
Run = tuple[int, int]  # fold, seed
ALL = "*"  # the region of what is said of all classes together


@dataclass(frozen=True)
class Pairs:
    """One comparison before it is judged: its differences, and what must be known of the scores behind them.

    ``doubtful`` marks the cells [patient, seed] whose difference rests on a penalty or on a target that lacks the
    region. ``missing`` names the runs that one of the arms, but not the other, or the rest of the study has finished;
    ``incomplete`` counts the patients that were left out because a score of theirs is missing in a run of their fold.
    ``mine`` and ``theirs`` are the means of the arm's and the reference's scores, doubtful ones left out.
    """

    data: Differences
    doubtful: npt.NDArray[np.bool_]
    missing: tuple[Run, ...]
    incomplete: int
    mine: float
    theirs: float

    def without_doubtful(self) -> Differences | None:
        """The differences of the patients that have no doubtful cell; None where no patient is left."""
        kept = np.logical_not(self.doubtful.any(axis=1)).tolist()
        folds = tuple(fold for fold, keep in zip(self.data.folds, kept, strict=True) if keep)
        return Differences(self.data.values[kept], folds) if folds else None

    def first_seeds(self, count: int) -> "Pairs":
        """What the first ``count`` seeds alone say; patients whose fold has none of them are out."""
        values = self.data.values[:, :count]
        kept = [bool(row.any()) for row in np.isfinite(values)]
        folds = tuple(fold for fold, keep in zip(self.data.folds, kept, strict=True) if keep)
        data = Differences(values[kept], folds)
        return Pairs(data, self.doubtful[kept, :count], self.missing, self.incomplete, self.mine, self.theirs)

    @property
    def runs(self) -> int:
        """How many pairs of runs (fold and seed) count."""
        return len({(fold, seed) for fold, done in zip(self.data.folds, self.data.finished, strict=True)
                    for seed in np.flatnonzero(done)})  # fmt: skip

    @property
    def complete_seeds(self) -> int:
        """How many seeds were run in every fold."""
        return int(self.data.finished.all(axis=0).sum())


@dataclass(frozen=True)
class _Score:
    """A patient's mean score over the cases that both arms have, under one run."""

    mine: float
    theirs: float
    doubtful: bool


def paired_differences(
    rows: Iterable[ScoreRow], reference: str, planned: Mapping[str, Collection[Run]] | None = None
) -> dict[Key, Pairs]:
    """(arm, region, metric) to the paired differences; the mean over regions where there are several masks.

    ``planned`` has the runs of each arm; without it an arm is taken to be planned for all folds and seeds of the rows.
    """
    given = list(rows)
    whole = {row.metric for row in given if row.region == ALL}  # what is said of all classes is their mean already
    parts = [row for row in given if row.metric not in whole]
    table = with_mean_region(parts) if len({row.region for row in parts}) > 1 else parts
    table += [row for row in given if row.metric in whole]
    grouped: dict[Key, dict[tuple[str, int, int], ScoreRow]] = defaultdict(dict)
    runs: dict[str, set[Run]] = defaultdict(set)
    for row in table:
        runs[row.arm].add((row.fold, row.seed))
        grouped[row.arm, row.region, row.metric][row.case, row.fold, row.seed] = row
    seen = set().union(*runs.values()) if runs else set()
    seen = {(fold, seed) for fold, _ in seen for _, seed in seen}
    found = {}
    for (arm, region, metric), mine in grouped.items():
        theirs = grouped.get((reference, region, metric), {})
        if arm != reference and theirs:
            asked = seen if planned is None else set(planned[arm])
            pairs = _pairs(mine, theirs, tuple(sorted(asked - (runs[arm] & runs[reference]))))
            if pairs is not None:
                found[arm, region, metric] = pairs
    return found


def _pairs(
    mine: Mapping[tuple[str, int, int], ScoreRow],
    theirs: Mapping[tuple[str, int, int], ScoreRow],
    missing: tuple[Run, ...],
) -> Pairs | None:
    both: dict[tuple[str, int, int], list[tuple[ScoreRow, ScoreRow]]] = defaultdict(list)
    for place, row in mine.items():
        other = theirs.get(place)
        if other is not None and math.isfinite(row.value) and math.isfinite(other.value):
            both[row.patient, row.fold, row.seed].append((row, other))
    if not both:
        return None
    return _table(_crossed({place: _score(found) for place, found in both.items()}), missing)


def _score(found: Sequence[tuple[ScoreRow, ScoreRow]]) -> _Score:
    return _Score(
        mine=math.fsum(a.value for a, _ in found) / len(found),
        theirs=math.fsum(b.value for _, b in found) / len(found),
        doubtful=any("penalised" in (a.status, b.status) or not (a.in_target and b.in_target) for a, b in found),
    )


def _crossed(scores: Mapping[tuple[str, int, int], _Score]) -> Mapping[tuple[str, int, int], _Score]:
    """Patients that are tested in several folds make folds depend on each other: they become one fold of many runs."""
    places = {(patient, fold) for patient, fold, _ in scores}
    if len(places) == len({patient for patient, _ in places}):
        return scores
    number = {run: k for k, run in enumerate(sorted({(fold, seed) for _, fold, seed in scores}))}
    return {(patient, 0, number[fold, seed]): score for (patient, fold, seed), score in scores.items()}


def _table(scores: Mapping[tuple[str, int, int], _Score], missing: tuple[Run, ...]) -> Pairs | None:
    """The scores as arrays; a patient counts in one fold, and only with a score in every run of that fold."""
    runs: dict[int, set[int]] = defaultdict(set)
    have: dict[tuple[str, int], set[int]] = defaultdict(set)
    for patient, fold, seed in scores:
        runs[fold].add(seed)
        have[patient, fold].add(seed)
    whole = sorted(place for place, seeds in have.items() if seeds == runs[place[1]])
    if not whole:
        return None
    seeds = sorted({seed for _, fold in whole for seed in runs[fold]})
    column = {seed: k for k, seed in enumerate(seeds)}
    values, doubtful = np.full((len(whole), len(seeds)), np.nan), np.zeros((len(whole), len(seeds)), bool)
    for place, (patient, fold) in enumerate(whole):
        for seed in runs[fold]:
            score = scores[patient, fold, seed]
            values[place, column[seed]] = score.mine - score.theirs
            doubtful[place, column[seed]] = score.doubtful
    counted = [scores[patient, fold, seed] for patient, fold in whole for seed in runs[fold]]
    counted = [score for score in counted if not score.doubtful] or counted
    return Pairs(
        data=Differences(values, tuple(fold for _, fold in whole)),
        doubtful=doubtful,
        missing=missing,
        incomplete=len({patient for patient, _ in have}) - len({patient for patient, _ in whole}),
        mine=math.fsum(s.mine for s in counted) / len(counted),
        theirs=math.fsum(s.theirs for s in counted) / len(counted),
    )
