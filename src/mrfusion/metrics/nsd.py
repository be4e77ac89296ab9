"""Normalised surface Dice: the share of both surfaces that lies within a tolerance of the other."""

from typing import Literal

import numpy as np

from mrfusion.kinds import NotNegative
from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=0.0, target_empty=0.0)


@metric(ABOUT)
def nsd(pair: MaskPair, tolerance_mm: NotNegative = 1.0, variant: Literal["surfel", "voxel"] = "surfel") -> float:
    """The part of both surfaces that is at most ``tolerance_mm`` from the other.

    Options:
        tolerance_mm: largest distance in mm that still counts as agreement
        variant: surfel, the area of both surfaces within the tolerance over the area of both (DeepMind); voxel, the
            mean of both shares of border voxels within the tolerance (panoptica, the rules of 2026)
    Example: nsd(tolerance_mm=2)
    """
    if variant == "voxel":
        return sum(float(np.mean(way.distance_mm <= tolerance_mm)) for way in pair.voxel_ways) / 2
    surfaces = pair.surfaces(variant)
    close = sum(float(surface.area_mm2[surface.distance_mm <= tolerance_mm].sum()) for surface in surfaces)
    return close / sum(float(surface.area_mm2.sum()) for surface in surfaces)
