"""Specificity: the share of the voxels outside the target that were left out, over the whole image."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About(
    "1",
    (0.0, 1.0),
    "higher",
    both_empty=1.0,
    prediction_empty=MEASURED,
    target_empty=MEASURED,
    note="0 and penalised, as in BraTS, where the target fills the image and nothing lies outside it",
)


@metric(ABOUT)
def specificity(pair: MaskPair) -> Value:
    """TN / (TN + FP)."""
    outside = pair.voxels - pair.targeted
    if outside == 0:
        return Value(0.0, "penalised", "the target fills the image")
    return Value((outside - (pair.predicted - pair.both)) / outside)
