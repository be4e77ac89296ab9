"""Missed lesions: target lesions, large enough to count, that no predicted component touches."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("lesions", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=MEASURED, target_empty=0.0)


@metric(ABOUT)
def lesion_fn(pair: MaskPair) -> float:
    """Number of target lesions that were missed."""
    return float(pair.lesions.missed)
