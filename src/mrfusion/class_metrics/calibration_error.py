"""Gap between confidence and accuracy, averaged over bins of confidence (ECE)."""

import numpy as np

from mrfusion.class_metrics._base import About
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.kinds import Count
from mrfusion.result import Value

ABOUT = About("", (0, 1), "lower", undefined="never; with few cases a bin it is biased upwards")


def calibration_error(votes: Votes, *, bins: Count = 15) -> dict[str, Value]:
    """Expected calibration error of the predicted class (Guo et al. 2017, eq. 3).

    ``bins`` intervals of equal width, ((b - 1) / bins, b / bins]; each weighs by its cases; empty ones weigh nothing.
    Values depend on the number of bins: compare only equal ones.

    Options:
        bins: number of intervals of confidence
    Example: calibration_error(bins=10)
    """
    confidence = np.minimum(votes.probabilities.max(axis=1), 1.0)
    correct = votes.predicted == votes.targets
    index = np.searchsorted(np.arange(1, bins + 1) / bins, confidence, side="left")
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return {ALL: Value(float(np.abs(gaps).sum() / len(confidence)))}
