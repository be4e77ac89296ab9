"""Lesion-wise Dice: the mean Dice over found, missed and false lesions; the last two count 0."""

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
def lesion_dice(pair: MaskPair) -> float:
    """Sum of the Dice of each target lesion with all components that touch it, over TP + FN + FP."""
    lesions = pair.lesions
    return float(lesions.dice.sum()) / lesions.counted if lesions.counted else 1.0
