"""Hausdorff distance: how far the surfaces are apart where they are farthest."""

from typing import Literal

from mrfusion.metrics._base import PENALTY, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("mm", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=PENALTY, target_empty=PENALTY)


@metric(ABOUT)
def hd(pair: MaskPair, variant: Literal["surfel", "voxel"] = "surfel") -> float:
    """The largest distance in mm from either surface to the other, between surface elements or border voxels.

    Options:
        variant: surfel (surface elements) or voxel (border voxels)
    Example: hd(variant=voxel)
    """
    return max(float(surface.distance_mm[-1]) for surface in pair.surfaces(variant))
