"""Specificity: the share of the voxels outside the target that were left out, over the whole image."""

from mrfusion.metrics._base import MEASURED, About, Reading, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=MEASURED, target_empty=MEASURED)


@metric(ABOUT)
def specificity(pair: MaskPair) -> Reading:
    """TN / (TN + FP). A target that fills the image has no voxel outside: 0, as the BraTS script says, penalised."""
    outside = pair.voxels - pair.targeted
    if outside == 0:
        return Reading(0.0, "penalised")
    return Reading((outside - (pair.predicted - pair.both)) / outside)
