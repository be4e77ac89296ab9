"""Effect sizes of paired differences, one number a patient, ranks, and Holm's correction for many tests."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


def ranks(values: Floats) -> Floats:
    """The ranks from 1 of numbers in one dimension, as floats; equal numbers share their mean rank.

    As ``scipy.stats.rankdata``, whose import would take most of the time of a first verdict.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[place], float)


def signed_ranks(differences: Floats) -> Floats:
    """The ranks of the sizes of differences, each with its difference's sign; 0 for those that are 0."""
    return np.asarray(np.sign(differences) * ranks(np.abs(differences)))


def rank_biserial(differences: Floats) -> float:
    """Matched-pairs rank-biserial correlation, -1 to 1: the share of ranks in favour minus that against; 0 for none."""
    signed = signed_ranks(differences)
    total = float(np.abs(signed).sum())
    return float(signed.sum()) / total if total else 0.0


def student(level: float | Floats, freedom: float) -> Floats:
    """Standard errors that an interval of a two-sided level reaches to either side; a level above 1 counts as 1."""
    return np.asarray(-special.stdtrit(freedom, np.minimum(level, 1.0) / 2))


def over_folds(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of one number a fold (Student's), so over training sets; NaN below three folds."""
    count = len(values)
    if count < 3:
        return math.nan, math.nan
    reach = float(student(0.05, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def holm(values: Sequence[float]) -> list[float]:
    """The p-values corrected by Holm's step-down method, in their order; NaN stays out of the family."""
    order = sorted((p, place) for place, p in enumerate(values) if not math.isnan(p))
    corrected, least = list(values), 0.0
    for rank, (p, place) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p))
        corrected[place] = least
    return corrected
