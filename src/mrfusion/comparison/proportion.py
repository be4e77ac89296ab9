"""Exact statements on shares of patients: Clopper and Pearson's interval, McNemar's test."""

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


def clopper_pearson(values: npt.ArrayLike, level: float = 0.05) -> tuple[float, float]:
    """The interval of a share from one number a patient between 0 and 1, such as the share of runs that were right.

    Exact for zeros and ones (Clopper and Pearson 1934); shares between them vary less, and the interval, by the beta
    distribution's quantiles of their sum, is then cautious. NaN without a patient.
    """
    numbers = np.asarray(values, float)
    if not len(numbers):
        return float("nan"), float("nan")
    right, wrong = float(numbers.sum()), float(len(numbers) - numbers.sum())
    low = float(special.betaincinv(right, wrong + 1, level / 2)) if right > 0 else 0.0
    high = float(special.betaincinv(right + 1, wrong, 1 - level / 2)) if wrong > 0 else 1.0
    return low, high


def mcnemar(differences: Floats) -> float:
    """The exact two-sided p of McNemar's test (1947): of the patients on whom the arms differ, as many on either side.

    ``differences``: one number a patient; those that are 0 take no part. With several runs a patient's mean difference
    counts by its sign.
    """
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    if not better + worse:
        return 1.0
    # the chance of so few or fewer heads of a fair coin; scipy.stats.binomtest gives the same and is slow to import
    fewer, more = sorted((better, worse))
    return float(min(1.0, 2 * special.betainc(more, fewer + 1, 0.5)))
