"""Sensitivity (recall): the share of the target that was predicted."""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

NOTHING_TO_FIND = Value(0.0, "penalised", "the target is empty, the prediction is not")

ABOUT = About(
    "1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=0.0, target_empty=NOTHING_TO_FIND, note="as in BraTS"
)


@metric(ABOUT)
def sensitivity(pair: MaskPair) -> float:
    """TP / (TP + FN)."""
    return pair.both / pair.targeted
