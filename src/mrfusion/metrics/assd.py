"""Average symmetric surface distance: the mean distance of both surfaces to each other."""

from typing import Literal

from mrfusion.metrics._base import PENALTY, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("mm", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=PENALTY, target_empty=PENALTY)


@metric(ABOUT)
def assd(pair: MaskPair, variant: Literal["surfel", "voxel"] = "surfel") -> float:
    """Mean distance in mm over both surfaces together, by area (``surfel``) or by border voxel (``voxel``, MONAI).

    Options:
        variant: surfel (surface elements by area) or voxel (border voxels)
    Example: assd(variant=voxel)
    """
    surfaces = pair.surfaces(variant)
    total = sum(float((surface.distance_mm * surface.area_mm2).sum()) for surface in surfaces)
    return total / sum(float(surface.area_mm2.sum()) for surface in surfaces)
