"""False lesions: predicted components, of any size, that touch no target lesion."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("lesions", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=0.0, target_empty=MEASURED)


@metric(ABOUT)
def lesion_fp(pair: MaskPair) -> float:
    """Number of predicted components without a lesion."""
    return float(pair.match.false)
