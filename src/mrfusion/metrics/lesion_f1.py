"""Lesion-wise F1: how well lesions are detected, whatever their outline."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About(
    "1",
    (0.0, 1.0),
    "higher",
    both_empty=1.0,
    prediction_empty=MEASURED,
    target_empty=0.0,
    note="empty prediction: 0, but 1 where no target lesion is large enough to count; 1 wherever nothing counts",
)


@metric(ABOUT)
def lesion_f1(pair: MaskPair) -> float:
    """2 TP / (2 TP + FP + FN)."""
    lesions = pair.lesions
    hits = 2 * (len(lesions.found) - lesions.missed)
    return hits / (hits + lesions.missed + lesions.false) if lesions.counted else 1.0
