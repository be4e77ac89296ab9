"""The surface of a mask as elements: one for each corner of the grid with voxels both inside and outside around it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing, ranked_areas
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Elements:
    """Surface elements, those of one label together: corners (n, 3), and which of the ``areas`` each has (n,).

    ``first`` says where each label's elements begin; ``codes`` is the dense map they come from and ``index`` what the
    engine needs to search them.
    """

    at: NDArray[np.int32]
    area: NDArray[np.uint8]
    areas: NDArray[np.float64]
    first: NDArray[np.int64]
    codes: NDArray[np.uint8]
    index: Any


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
    first = np.concatenate(([0], np.cumsum(np.bincount(owner))))
    return Elements(at, rank[code], areas, first, codes, engine.index(at, owner, spacing_mm))


def border_voxels(frame: NDArray[np.uint8], *, flat: bool) -> NDArray[np.int32]:
    """Voxels of the mask (n, 3) with a face to the outside, the image's border being outside (MONAI, MedPy)."""
    middle = (slice(1, -1),) * 3
    inner = frame[middle].copy()
    for axis in range(1 if flat else 0, 3):
        for side in (slice(0, -2), slice(2, None)):
            inner &= frame[(*middle[:axis], side, *middle[axis + 1 :])]
    return np.argwhere(frame[middle] > inner).astype(np.int32)
