"""How far each element of a surface is from another, in the order that percentiles need."""

from dataclasses import dataclass
from typing import Any

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
    a, b, c = ((points[:, axis] - others[:, axis]) * spacing_mm[axis] for axis in range(3))
    return np.asarray(np.sqrt((a * a + b * b) + c * c))


def ordered(distance_mm: NDArray[np.float64], rank: NDArray[Any], areas: NDArray[np.float64]) -> Surface:
    """Order elements by distance, then area; ``areas[rank]`` is the area of each, ``areas`` ascending, at most 256.

    Two sorts of plain numbers instead of one sort of pairs: numpy sorts numbers with vector instructions. There are
    few different areas, so a key of the distance's rank and the area's rank orders the ties.
    """
    order = np.argsort(distance_mm)
    distance_mm = distance_mm.take(order)
    key = rank.take(order).astype(np.int64)
    key[1:] += np.cumsum(distance_mm[1:] != distance_mm[:-1]) << 8
    key.sort()
    return Surface(distance_mm, areas.take(key & 255))


def grouped_sum(one: NDArray[Any], other: NDArray[Any], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows (one, other, times) with equal pairs added up, ascending."""
    width = int(other.max(initial=0)) + 1
    key = one.astype(np.int64) * width + other
    order = np.argsort(key)
    key = key[order]
    first = np.flatnonzero(np.concatenate((key[:1] == key[:1], key[1:] != key[:-1])))
    total = np.add.reduceat(times[order], first) if len(first) else times[:0]
    return np.stack([key[first] // width, key[first] % width, total], axis=1)
