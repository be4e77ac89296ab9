"""Metrics of many cases, of all folds together, as one number a patient, so that they are judged as masks are.

AUC, F1, sensitivity, specificity and balanced accuracy exist for many cases only. A study's folds together hold every
patient once; their answers under one seed are pooled and the metric taken of all. Its jackknife pseudo-value of a
patient is n T - (n - 1) T without that patient (Tukey 1958): the mean of the pseudo-values is the metric (but for its
bias of order 1/n), and their variance over n its variance, for AUC that of DeLong (1988) nearly to the digit. So the
judge of comparisons takes pseudo-values as it takes Dice: paired by patient, folds as clusters, seeds as runs.

Differs from a paired bootstrap of the pooled metric: that draws patients only, and cannot see runs and training sets.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mrfusion import families
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import ScoreRow, Value

Floats = npt.NDArray[np.float64]
POOLED = ("auc", "balanced_accuracy", "f1", "sensitivity", "specificity")


@dataclass(frozen=True)
class Answered:
    """What one run answered: the cases with their patients, and the votes on them in the same order."""

    arm: str
    fold: int
    seed: int
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    votes: Votes


def pooled_scores(runs: Iterable[Answered], metrics: Sequence[str] = POOLED) -> list[ScoreRow]:
    """A row for every arm, seed, patient and value of the metrics; seeds that lack a fold of the others are left out.

    A metric is named as in ``families.load``. A patient without whom it does not exist (the only one of a class) has no
    pseudo-value: NaN.
    """
    groups: dict[tuple[str, int], list[Answered]] = defaultdict(list)
    for run in runs:
        groups[run.arm, run.seed].append(run)
    folds = {run.fold for found in groups.values() for run in found}
    return [
        row
        for found in groups.values() if {run.fold for run in found} == folds
        for metric in metrics for row in _rows(found, metric)
    ]  # fmt: skip


def _rows(runs: Sequence[Answered], metric: str) -> Iterable[ScoreRow]:
    patients = np.array([patient for run in runs for patient in run.patients])
    places = {patient: (run.fold, case) for run in runs for patient, case in zip(run.patients, run.cases, strict=True)}
    for region, values in pseudo_values(_joined(runs), patients, metric).items():
        for patient, value in values.items():
            fold, case = places[patient]
            yield ScoreRow(runs[0].arm, fold, runs[0].seed, case, patient, region, metric, value)


def pseudo_values(votes: Votes, patients: npt.NDArray[np.str_], metric: str) -> dict[str, dict[str, float]]:
    """Region (a class, or all) to patient to jackknife pseudo-value; a class that equals the whole is left out."""
    of = families.load("class_metrics", metric)
    whole: dict[str, Value] = of(votes)
    names = list(dict.fromkeys(patients.tolist()))
    without = {name: of(_kept(votes, patients != name)) for name in names}
    count, found = len(names), dict[str, dict[str, float]]()
    for region, value in whole.items():
        values = {n: count * float(value) - (count - 1) * float(without[n][region]) for n in names}
        if not any(np.allclose(list(values.values()), list(v.values()), equal_nan=True) for v in found.values()):
            found[region] = values
    return found


def _kept(votes: Votes, mask: npt.NDArray[np.bool_]) -> Votes:
    return Votes(votes.probabilities[mask], votes.targets[mask], votes.classes)


def _joined(runs: Sequence[Answered]) -> Votes:
    probabilities = np.concatenate([run.votes.probabilities for run in runs])
    return Votes(probabilities, np.concatenate([run.votes.targets for run in runs]), runs[0].votes.classes)


@dataclass(frozen=True)
class Roc:
    """One class against the rest: the true positive rate at every false positive rate of ``at``, with a 95 % band."""

    at: npt.NDArray[np.float64]
    rate: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def roc(runs: Sequence[Answered], place: int, *, draws: int = 500) -> Roc | None:
    """The curve of class ``place`` pooled over folds, the mean over seeds, with a bootstrap band over patients.

    None where one of the two classes has no case. The band is pointwise.
    """
    at = np.linspace(0.0, 1.0, 101)
    seeds: dict[int, list[Answered]] = defaultdict(list)
    for run in runs:
        seeds[run.seed].append(run)
    pools = [(np.array([p for run in found for p in run.patients]), _joined(found)) for found in seeds.values()]
    if any(not 0 < votes.truth[:, place].sum() < len(votes.targets) for _, votes in pools):
        return None
    names = np.array(sorted({name for patients, _ in pools for name in patients.tolist()}))
    rng, curves = np.random.default_rng(0), []
    for _ in range(draws):
        drawn = dict(zip(names.tolist(), np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)),
                         strict=True))  # fmt: skip
        each = [_curve(votes, place, np.array([drawn[p] for p in patients.tolist()]), at) for patients, votes in pools]
        curves.append(np.mean(each, axis=0))
    whole = np.mean([_curve(votes, place, np.ones(len(patients)), at) for patients, votes in pools], axis=0)
    low, high = np.nanpercentile(curves, [2.5, 97.5], axis=0)
    return Roc(at, whole, low, high)


def _curve(votes: Votes, place: int, weights: Floats, at: Floats) -> Floats:
    """True positive rate where the false positive rate is ``at``, between the corners of the empirical curve."""
    order = np.argsort(-votes.probabilities[:, place], kind="stable")
    scores, right, weight = votes.probabilities[order, place], votes.truth[order, place], weights[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # equal scores are one corner
    true, false = np.cumsum(weight * right)[last], np.cumsum(weight * ~right)[last]
    if not true[-1] or not false[-1]:
        return np.full_like(at, np.nan)
    return np.asarray(np.interp(at, np.append(0, false / false[-1]), np.append(0, true / true[-1])))
