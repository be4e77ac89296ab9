"""What each modality is worth: exact Shapley values of the scores of all subsets, with intervals over patients.

phi_m = sum over S without m of |S|! (M - |S| - 1)! / M! (v(S + m) - v(S)); they add up to v(all) - v(none)
(Shapley 1953). v(none) is the score of an empty prediction. Values are linear in the scores, so a patient's Shapley
values are those of the patient's own scores, and the cohort's are their means.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from mrfusion.comparison.interval import mean_interval
from mrfusion.errors import InputError

Subset = frozenset[str]
Scores = Mapping[Subset, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Worth:
    """A modality's Shapley value in the unit of the scores, with its 95 % interval over patients."""

    modality: str
    value: float
    low: float
    high: float


def subsets(modalities: Sequence[str]) -> list[Subset]:
    """All 2^M subsets, the empty one first, then by size."""
    return [frozenset(s) for size in range(len(modalities) + 1) for s in combinations(modalities, size)]


def shapley(scores: Scores, modalities: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Modality to its Shapley value, of arrays [patient] (or [patient, ...]) of the score of every subset.

    The empty subset may be left out: its score is then 0, as Dice's is of an empty prediction. Raises InputError where
    another subset lacks its score or the arrays differ in shape.
    """
    table = _complete(scores, modalities)
    count = len(modalities)
    weights = [factorial(k) * factorial(count - k - 1) / factorial(count) for k in range(count)]
    return {
        m: np.sum([weights[len(s)] * (table[s | {m}] - table[s]) for s in _without(m, modalities)], axis=0)
        for m in modalities
    }


def worths(scores: Scores, modalities: Sequence[str]) -> list[Worth]:
    """The modalities, the worthiest first, from scores [patient]; patients without a score of every subset are out."""
    whole = np.all([np.isfinite(values) for values in scores.values()], axis=0)
    if not whole.any():
        raise InputError("expected at least one patient with a score of every subset, found none")
    values = shapley({subset: found[whole] for subset, found in scores.items()}, modalities)
    rows = [Worth(m, float(v.mean()), *mean_interval(v)) for m, v in values.items()]
    return sorted(rows, key=lambda row: row.value, reverse=True)


def _without(modality: str, modalities: Sequence[str]) -> Iterable[Subset]:
    return (s for s in subsets(modalities) if modality not in s)


def _complete(scores: Scores, modalities: Sequence[str]) -> dict[Subset, npt.NDArray[np.float64]]:
    wanted = subsets(modalities)
    missing = [s for s in wanted[1:] if s not in scores]
    if missing:
        names = "; ".join(", ".join(sorted(s)) for s in missing[:4])
        raise InputError(f"expected the scores of all {len(wanted) - 1} subsets, found none of {len(missing)}: {names}")
    shape = scores[wanted[-1]].shape
    table = {s: np.asarray(scores[s], float) for s in wanted if s in scores}
    different = [s for s, values in table.items() if values.shape != shape]
    if different:
        raise InputError(f"expected scores of {shape} for every subset, found {table[different[0]].shape}")
    return {wanted[0]: np.zeros(shape)} | table
