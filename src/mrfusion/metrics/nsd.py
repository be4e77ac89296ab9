"""Normalised surface Dice: the share of both surfaces that lies within a tolerance of the other."""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=1.0, prediction_empty=0.0, target_empty=0.0)


@metric(ABOUT)
def nsd(pair: MaskPair, tolerance_mm: float = 1.0) -> float:
    """Area of both surfaces at most ``tolerance_mm`` from the other, over the area of both (DeepMind).

    Options:
        tolerance_mm: largest distance in mm that still counts as agreement; at least 0
    Example: nsd(tolerance_mm=2)
    """
    surfaces = pair.surfaces("surfel")
    close = sum(float(surface.area_mm2[surface.distance_mm <= tolerance_mm].sum()) for surface in surfaces)
    return close / sum(float(surface.area_mm2.sum()) for surface in surfaces)
