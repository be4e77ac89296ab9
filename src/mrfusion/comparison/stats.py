"""Tests and effect sizes of paired differences, one number a patient, and Holm's correction for many of them."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

FEWEST = 6  # with fewer patients the smallest two-sided p of the signed-rank test, 2 / 2^n, is above 0.05
EXACT_UP_TO = 100
Floats = npt.NDArray[np.float64]


def signed_rank(differences: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where no difference is other than 0.

    Zeros are ranked with the others and then left out (Pratt 1959), ties share their mean rank. Up to
    :data:`EXACT_UP_TO` patients p is exact for the ranks at hand, ties and zeros included, which neither the usual
    tables nor the normal approximation are; cases that lack a region make zeros common. Above, scipy's approximation.
    """
    if not differences.any():
        return 1.0
    if len(differences) > EXACT_UP_TO:
        return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    doubled = np.rint(2 * _signed_ranks(differences)).astype(int)
    ways = np.ones(1)  # of reaching each sum of positive doubled ranks, as a share of all signs
    for rank in np.abs(doubled[doubled != 0]):
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    positive = int(doubled[doubled > 0].sum())
    return float(min(1.0, 2 * min(ways[: positive + 1].sum(), ways[positive:].sum())))


def rank_biserial(differences: Floats) -> float:
    """Matched-pairs rank-biserial correlation, -1 to 1: the share of ranks in favour minus that against; 0 for none."""
    ranks = _signed_ranks(differences)
    total = float(np.abs(ranks).sum())
    return float(ranks.sum()) / total if total else 0.0


def holm(values: Sequence[float]) -> list[float]:
    """The p-values corrected by Holm's step-down method, in their order; NaN stays out of the family."""
    order = sorted((p, place) for place, p in enumerate(values) if not math.isnan(p))
    corrected, least = list(values), 0.0
    for rank, (p, place) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p))
        corrected[place] = least
    return corrected


def _signed_ranks(differences: Floats) -> Floats:
    return np.asarray(np.sign(differences) * stats.rankdata(np.abs(differences)))
