"""How far each element of a surface is from another, in the order that percentiles need."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.elements import Elements
from mrfusion.surface.engine import engine

PART = 1 << 16  # elements whose table stays in the cache


@dataclass(frozen=True)
class Surface:
    """Surface elements ordered by their distance to the other surface, equal distances by their area.

    Kept are the different pairs of distance and area, and how often each stands there (``times``).
    """

    distances_mm: NDArray[np.float64]
    areas_mm2: NDArray[np.float64]
    times: NDArray[np.int64]

    @property
    def distance_mm(self) -> NDArray[np.float64]:
        """The distance of each element."""
        return np.repeat(self.distances_mm, self.times)

    @property
    def area_mm2(self) -> NDArray[np.float64]:
        """The area of each element."""
        return np.repeat(self.areas_mm2, self.times)

    def percentile(self, percent: float) -> float:
        """The distance below which the nearest elements have ``percent`` of the area (left, no interpolation)."""
        area_mm2 = self.area_mm2
        share = np.cumsum(area_mm2) / np.sum(area_mm2)
        at = int(np.searchsorted(share, percent / 100.0))
        last = int(np.searchsorted(np.cumsum(self.times), at, side="right"))
        return float(self.distances_mm[min(last, len(self.times) - 1)])


@dataclass(frozen=True)
class Way:
    """From one surface to the other: each element's nearest element there, and how far that is."""

    own: Elements
    other: Elements

    @cached_property
    def partner(self) -> NDArray[np.int32]:
        """For each element which of the other surface is the nearest."""
        return self.other.nearest(self.own.at)

    @cached_property
    def distance_mm(self) -> NDArray[np.float64]:
        """How far each element is from its partner."""
        distance_mm: NDArray[np.float64] = engine.apart(self.own.at, self.other.at, self.partner, self.own.spacing_mm)
        return distance_mm

    @cached_property
    def surface(self) -> Surface:
        """All elements in order."""
        return ordered(self.distance_mm, self.own.area, self.own.areas)

    def hd95_mm(self, mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
        """The 95th percentile of the distances from the elements of the labels ``mine`` to those of ``theirs``."""
        own, other = self.own, self.other
        if len(mine) == own.labels and len(theirs) == other.labels:
            return self.surface.percentile(95.0)
        distance_mm, chosen = self.between(mine, theirs)
        return ordered(distance_mm, own.area.take(chosen), own.areas).percentile(95.0)

    def between(
        self, mine: NDArray[np.int64], theirs: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """How far the elements of the labels ``mine`` are from those of ``theirs``, and which elements they are.

        An element whose nearest has another label is searched again.
        """
        own, other = self.own, self.other
        if own.labels == other.labels == len(mine) == len(theirs) == 1:
            return self.distance_mm, np.arange(len(self.distance_mm))
        chosen = own.of(mine)
        distance_mm = self.distance_mm.take(chosen)
        wanted = np.zeros(other.labels + 1, bool)
        wanted[theirs] = True
        astray = np.flatnonzero(~wanted.take(other.owner.take(self.partner.take(chosen))))
        if len(astray):
            at = own.at.take(chosen.take(astray), axis=0)
            partner = engine.nearest(at, other.index, own.spacing_mm, theirs)
            distance_mm[astray] = engine.apart(at, other.at, partner, own.spacing_mm)
        return distance_mm, chosen


def ordered(distance_mm: NDArray[np.float64], rank: NDArray[np.uint8], areas: NDArray[np.float64]) -> Surface:
    """Order elements by distance, then area; ``areas[rank]`` is the area of each.

    Few distances and few areas are different (a shift by one voxel gives two distances), so the different pairs of
    each ``PART`` of the elements are counted, and only those are sorted.
    """
    parts = range(0, len(rank), PART)
    tallies = [engine.tally(distance_mm[i : i + PART], rank[i : i + PART]) for i in parts]
    distance, area, count = (np.concatenate(column) for column in zip(*tallies, strict=True))
    order = np.lexsort((areas[area], distance))
    return Surface(distance[order], areas[area[order]], count[order])
