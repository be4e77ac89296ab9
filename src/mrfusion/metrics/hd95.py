"""95th percentile of the surface distances (HD95), in one of the definitions in use."""

from typing import Literal

import numpy as np

from mrfusion.errors import SpecError, nearest
from mrfusion.metrics._base import PENALTY, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("mm", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=PENALTY, target_empty=PENALTY)
VARIANTS = ("surfel", "voxel", "pooled")


@metric(ABOUT)
def hd95(pair: MaskPair, variant: Literal["surfel", "voxel", "pooled"] = "surfel") -> float:
    """HD95 in mm.

    ``surfel``  the larger of the two directed percentiles over surface elements weighted by their area, without
                interpolation (DeepMind's surface-distance, the BraTS script)
    ``voxel``   the larger of the two directed percentiles over border voxels, interpolated (MONAI)
    ``pooled``  the percentile of both directions' border voxels together, interpolated (MedPy); it hides an error
                that only one direction sees

    Options:
        variant: surfel, voxel or pooled, as said above
    Example: hd95(variant=voxel)
    """
    if variant not in VARIANTS:
        raise SpecError(f"no variant of hd95 is called {variant!r}; {nearest(str(variant), VARIANTS)}")
    if variant == "surfel":
        return max(surface.percentile(95.0) for surface in pair.surfaces("surfel"))
    directed = [way.distance_mm for way in pair.voxel_ways]
    if variant == "pooled":
        directed = [np.concatenate(directed)]
    return max(float(np.percentile(distance, 95.0)) for distance in directed)
