"""Two surfaces and how far each of their elements is from the other: what every surface metric reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing


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
    step = (points - others).astype(np.float64) * np.array(spacing_mm)
    step *= step
    return np.asarray(np.sqrt((step[:, 0] + step[:, 1]) + step[:, 2]))


def ordered(distance_mm: NDArray[np.float64], area_mm2: NDArray[np.float64]) -> Surface:
    """Order by distance, then area.

    Two sorts of plain numbers instead of one sort of pairs: numpy sorts numbers with vector instructions. There are
    few different areas, so a key of the distance's rank and the area's rank orders the ties.
    """
    order = np.argsort(distance_mm)
    distance_mm = distance_mm[order]
    areas, area_rank = np.unique(area_mm2, return_inverse=True)
    rank = np.concatenate(([0], np.cumsum(distance_mm[1:] != distance_mm[:-1])))
    key = np.sort(rank * len(areas) + area_rank[order])
    return Surface(distance_mm, areas[key % len(areas)])
