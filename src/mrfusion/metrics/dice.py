"""Dice overlap: twice the common volume over the sum of both volumes."""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=0.0, target_empty=0.0)


@metric(ABOUT)
def dice(pair: MaskPair) -> float:
    """2 |A and B| / (|A| + |B|)."""
    return 2.0 * pair.both / (pair.predicted + pair.targeted)
