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
    """Surface elements, those of one label together: corners (n, 3), their labels, and which of ``areas`` each has.

    ``codes`` is the dense map they come from.
    """

    at: NDArray[np.int32]
    owner: NDArray[np.int32]
    area: NDArray[np.uint8]
    areas: NDArray[np.float64]
    codes: NDArray[np.uint8]
    spacing_mm: Spacing

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Where each label's elements begin."""
        return np.concatenate(([0], np.cumsum(np.bincount(self.owner))))

    @cached_property
    def index(self) -> Any:
        """What the engine needs to search them."""
        return engine.index(self.at, self.owner, self.spacing_mm)

    def nearest(self, points: NDArray[np.int32]) -> NDArray[np.int32]:
        """For each point the nearest element: most have one close by, the others are searched far and wide."""
        found: NDArray[np.int32] = engine.look_around(points, self.codes, self.spacing_mm)
        astray = np.flatnonzero(found[:, 0] < 0)
        if len(astray):
            found[astray] = engine.nearest(points.take(astray, axis=0), self.index, self.spacing_mm)
        return found


def elements(frame: NDArray[np.uint8], labels: Any, spacing_mm: Spacing, *, flat: bool) -> Elements:
    """The surface elements of a framed mask that holds something, and of its labels, which the engine made.

    A ``flat`` mask, one layer of voxels, is a 2-D image: it is taken as a column without ends, so that the areas of
    its elements, for a thickness of 1, are the lengths of the contour.
    """
    codes = engine.codes(np.ascontiguousarray(frame[[1, 1]]) if flat else frame)
    at, code = engine.corners(codes)
    owner = engine.owners(labels, at, codes)
    order = engine.cell_order(at, owner)
    at, owner, code = at.take(order, axis=0), owner.take(order), code.take(order)
    areas, rank = ranked_areas(spacing_mm)
    return Elements(at, owner, rank.take(code), areas, codes, spacing_mm)


def border_voxels(frame: NDArray[np.uint8], *, flat: bool) -> NDArray[np.int32]:
    """Voxels of the mask (n, 3) with a face to the outside, the image's border being outside (MONAI, MedPy)."""
    middle = (slice(1, -1),) * 3
    inner = frame[middle].copy()
    for axis in range(1 if flat else 0, 3):
        for side in (slice(0, -2), slice(2, None)):
            inner &= frame[(*middle[:axis], side, *middle[axis + 1 :])]
    return np.argwhere(frame[middle] > inner).astype(np.int32)
