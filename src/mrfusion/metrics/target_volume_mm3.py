"""Volume of the target (in 2-D: its area in mm2)."""

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About("mm3", (0.0, float("inf")), "neither", MEASURED, MEASURED, MEASURED)


@metric(ABOUT)
def target_volume_mm3(pair: MaskPair) -> float:
    """Voxels of the target times the volume of a voxel."""
    return pair.targeted * pair.voxel_mm3
