"""Precision: the share of the prediction that lies in the target."""

from mrfusion.metrics._base import UNDEFINED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=UNDEFINED, target_empty=0.0)


@metric(ABOUT)
def precision(pair: MaskPair) -> float:
    """TP / (TP + FP)."""
    return pair.both / pair.predicted
