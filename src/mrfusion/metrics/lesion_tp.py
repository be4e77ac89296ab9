"""Found lesions: target lesions, large enough to count, that a predicted component touches."""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("lesions", (0.0, float("inf")), "higher", both_empty=0.0, prediction_empty=0.0, target_empty=0.0)


@metric(ABOUT)
def lesion_tp(pair: MaskPair) -> float:
    """Number of target lesions that were found."""
    return float(len(pair.lesions.found) - pair.lesions.missed)
