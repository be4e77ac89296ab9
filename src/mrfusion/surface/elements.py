"""The surface of a mask as elements: one for each corner of the grid with voxels both inside and outside around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.engine import engine

_LOWEST = [(code & -code).bit_length() - 1 if code else 0 for code in range(256)]
_INSIDE = np.array([[1 - (bit >> axis & 1) for axis in (2, 1, 0)] for bit in _LOWEST], np.int32)


@dataclass(frozen=True)
class Elements:
    """Surface elements in the order of their corners: corners (n, 3), their codes (n,), and the dense map of codes."""

    at: NDArray[np.int32]
    code: NDArray[np.uint8]
    codes: NDArray[np.uint8]


def elements(frame: NDArray[np.uint8], *, flat: bool) -> Elements:
    """The surface elements of a framed mask.

    A ``flat`` mask, one layer of voxels, is a 2-D image: it is taken as a column without ends, so that the areas of
    its elements, for a thickness of 1, are the lengths of the contour.
    """
    codes = engine.codes(np.ascontiguousarray(frame[[1, 1]]) if flat else frame)
    at = np.flatnonzero(codes + np.uint8(1) > 1)  # 255 + 1 = 0: neither empty nor full
    corners = np.empty((len(at), 3), np.int32)
    for axis, index in enumerate(np.unravel_index(at, codes.shape)):
        corners[:, axis] = index
    return Elements(corners, codes.ravel()[at], codes)


def inside(at: NDArray[np.int32], code: NDArray[np.uint8]) -> NDArray[np.int32]:
    """For each corner one voxel (n, 3) of the mask in its block; all of them belong to one component."""
    return np.asarray(at + _INSIDE[code])


def border_voxels(frame: NDArray[np.uint8], *, flat: bool) -> NDArray[np.int32]:
    """Voxels of the mask (n, 3) with a face to the outside, the image's border being outside (MONAI, MedPy)."""
    middle = (slice(1, -1),) * 3
    inner = frame[middle].copy()
    for axis in range(1 if flat else 0, 3):
        for side in (slice(0, -2), slice(2, None)):
            inner &= frame[(*middle[:axis], side, *middle[axis + 1 :])]
    return np.argwhere(frame[middle] > inner).astype(np.int32)
