"""Gap between confidence and accuracy, averaged over bins of confidence (ECE)."""

import numpy as np

from mrfusion.class_metrics._base import About
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.errors import SpecError
from mrfusion.result import Value

ABOUT = About("", (0, 1), "lower", undefined="never; with few cases a bin it is biased upwards")


def calibration_error(votes: Votes, *, bins: int = 15) -> dict[str, Value]:
    """Expected calibration error of the predicted class (Guo et al. 2017, eq. 3).

    ``bins`` intervals of equal width, ((b - 1) / bins, b / bins]; each weighs by its cases; empty ones weigh nothing.
    Values depend on the number of bins: compare only equal ones. Raises SpecError for ``bins`` below 1.

    Options:
        bins: number of intervals of confidence; at least 1
    Example: calibration_error(bins=10)
    """
    if bins < 1:
        raise SpecError(f"calibration_error: bins must be at least 1, found {bins}")
    confidence = np.minimum(votes.probabilities.max(axis=1), 1.0)
    correct = votes.predicted == votes.targets
    index = np.searchsorted(np.arange(1, bins + 1) / bins, confidence, side="left")
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return {ALL: Value(float(np.abs(gaps).sum() / len(confidence)))}
