"""Volume of the prediction (in 2-D: its area in mm2)."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("mm3", (0.0, float("inf")), "neither", MEASURED, MEASURED, MEASURED)


@metric(ABOUT)
def volume_mm3(pair: MaskPair) -> float:
    """Voxels of the prediction times the volume of a voxel."""
    return pair.predicted * pair.voxel_mm3
