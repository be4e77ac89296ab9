"""How far each element of a surface is from another, in the order that percentiles need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Surface:
    """Surface elements ordered by their distance to the other surface, equal distances by their area."""

    distance_mm: NDArray[np.float64]
    area_mm2: NDArray[np.float64]

    def percentile(self, percent: float) -> float:
        """The distance below which the nearest elements have ``percent`` of the area (left, no interpolation)."""
        share = np.cumsum(self.area_mm2) / np.sum(self.area_mm2)
        at = int(np.searchsorted(share, percent / 100.0))
        return float(self.distance_mm[min(at, len(share) - 1)])


def between(points: NDArray[np.int32], others: NDArray[np.int32], spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance in mm from each point to its partner in ``others``, both in voxels (n, 3)."""
    a, b, c = ((points[:, axis] - others[:, axis]) * spacing_mm[axis] for axis in range(3))
    return np.asarray(np.sqrt((a * a + b * b) + c * c))


def ordered(distance_mm: NDArray[np.float64], rank: NDArray[np.uint8], areas: NDArray[np.float64]) -> Surface:
    """Order elements by distance, then area; ``areas[rank]`` is the area of each.

    Few distances and few areas are different (a shift by one voxel gives two distances), so the different pairs are
    counted, and only those are sorted.
    """
    distance, area, count = engine.tally(distance_mm, rank)
    order = np.lexsort((areas[area], distance))
    return Surface(np.repeat(distance[order], count[order]), np.repeat(areas[area[order]], count[order]))
