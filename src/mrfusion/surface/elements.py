"""The surface of a mask as elements: one for each corner of the grid with voxels both inside and outside around it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing, ranked_areas
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Elements:
    """Surface elements in C order: corners (n, 3), their labels, and which of ``areas`` each has.

    ``marks`` is what the engine needs to find those close by.
    """

    at: NDArray[np.int32]
    owner: NDArray[np.int32]
    area: NDArray[np.uint8]
    areas: NDArray[np.float64]
    marks: Any
    spacing_mm: Spacing

    @cached_property
    def labels(self) -> int:
        """How many labels there are; each has elements."""
        return int(self.owner.max())

    @cached_property
    def index(self) -> Any:
        """What the engine needs to search them far and wide."""
        return engine.index(self.at, self.owner, self.spacing_mm)

    @cached_property
    def grouped(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order by label, and where in it each label begins."""
        order, first = engine.grouped(self.owner)
        return order, first

    def of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which elements the labels have."""
        order, first = self.grouped
        times = first[labels + 1] - first[labels]
        skipped = first[labels] - (np.cumsum(times) - times)
        return order.take(np.repeat(skipped, times) + np.arange(times.sum()))

    def nearest(self, points: NDArray[np.int32]) -> NDArray[np.int32]:
        """For each point which element is the nearest: most have one close by, only the others need the index."""
        found: NDArray[np.int32] = engine.look_around(points, self.marks, self.spacing_mm)
        astray = np.flatnonzero(found < 0)
        if len(astray):
            found[astray] = engine.nearest(points.take(astray, axis=0), self.index, self.spacing_mm)
        return found


def elements(frame: NDArray[np.uint8], labels: Any, spacing_mm: Spacing, *, flat: bool) -> Elements:
    """The surface elements of a framed mask that holds something, and of its labels, which the engine made.

    A ``flat`` mask, one layer of voxels, is a 2-D image: it is taken as a column without ends, so that the areas of
    its elements, for a thickness of 1, are the lengths of the contour.
    """
    at, code, marks = engine.corners(np.ascontiguousarray(frame[[1, 1]]) if flat else frame)
    areas, rank = ranked_areas(spacing_mm)
    return Elements(at, engine.owners(labels, at, code), rank.take(code), areas, marks, spacing_mm)


def border_voxels(frame: NDArray[np.uint8], labels: Any, spacing_mm: Spacing, *, flat: bool) -> Elements:
    """The voxels of a framed mask with a face to the outside, the image's border being outside (MONAI, MedPy).

    Each counts as one element of area 1. ``labels`` are the mask's components, which the engine made.
    """
    at, marks = engine.borders(frame, flat=flat)
    owner = engine.owners(labels, at - np.int32(1), np.ones(len(at), np.uint8))  # code 1: the voxel one further on
    return Elements(at, owner, np.zeros(len(at), np.uint8), np.ones(1), marks, spacing_mm)
