"""Wilcoxon's signed-rank test of paired differences; apart from the judge, which does without scipy.stats."""

import numpy as np
from scipy import stats

from mrfusion.comparison.stats import Floats, signed_ranks

EXACT_UP_TO = 100


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
    doubled = np.rint(2 * signed_ranks(differences)).astype(int)
    ways = np.ones(1)  # of reaching each sum of positive doubled ranks, as a share of all signs
    for rank in np.abs(doubled[doubled != 0]):
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    positive = int(doubled[doubled > 0].sum())
    return float(min(1.0, 2 * min(ways[: positive + 1].sum(), ways[positive:].sum())))
