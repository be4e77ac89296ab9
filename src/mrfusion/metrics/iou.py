"""Intersection over union (Jaccard): the common volume over the volume of either."""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=0.0, target_empty=0.0)


@metric(ABOUT)
def iou(pair: MaskPair) -> float:
    """|A and B| / |A or B|."""
    return pair.both / (pair.predicted + pair.targeted - pair.both)
