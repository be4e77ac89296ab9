"""The surface of a mask as elements: one for each corner of the grid with voxels both inside and outside around it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing, surfel_areas
from mrfusion.surface.engine import engine

_BIT = [(code & -code).bit_length() - 1 if code else 0 for code in range(256)]
_INSIDE = np.array([[-(bit >> 2 & 1), -(bit >> 1 & 1), -(bit & 1)] for bit in _BIT])  # from a corner to such a voxel


@dataclass(frozen=True)
class Elements:
    """Surface elements in the order of their corners: corners (n, 3) in voxels, codes (n,) and the dense code map."""

    at: NDArray[np.int32]
    code: NDArray[np.uint8]
    codes: NDArray[np.uint8]

    def area_mm2(self, spacing_mm: Spacing) -> NDArray[np.float64]:
        """The area of each element (in 2-D: its length in mm)."""
        return surfel_areas(spacing_mm)[self.code]

    def owner(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The label of each element's mask voxels; a block of 2x2x2 voxels never holds two components."""
        return owners(self.at, self.code, labels)


def elements(mask: NDArray[np.bool_], *, flat: bool) -> Elements:
    """The surface elements of a mask (x, y, z).

    A ``flat`` mask (1, y, x) is a 2-D image: it is taken as a column without ends, so the areas of its elements, for
    a thickness of 1, are the lengths of the contour.
    """
    codes = engine.codes(framed(mask, flat=flat))
    at = np.flatnonzero(codes + np.uint8(1) > 1)  # 255 + 1 = 0: neither empty nor full
    corners = np.stack(np.unravel_index(at, codes.shape), axis=1).astype(np.int32)
    return Elements(corners, codes.ravel()[at], codes)


def owners(at: NDArray[np.int32], code: NDArray[np.uint8], labels: NDArray[Any]) -> NDArray[Any]:
    """The label of one inside voxel of each corner's block."""
    x, y, z = (at + _INSIDE[code]).T
    return np.asarray(labels[x, y, z])


def framed(mask: NDArray[np.bool_], *, flat: bool) -> NDArray[np.bool_]:
    """The mask with a layer of zeros around it; a flat one twice, without a layer above and below."""
    x, y, z = mask.shape
    frame = np.zeros((2 if flat else x + 2, y + 2, z + 2), bool)
    frame[slice(None) if flat else slice(1, -1), 1:-1, 1:-1] = mask
    return frame


def border_voxels(mask: NDArray[np.bool_], *, flat: bool) -> NDArray[np.int32]:
    """Voxels of the mask (n, 3) with a face to the outside, the image's border being outside (MONAI, MedPy)."""
    frame = np.pad(mask, [(0, 0) if flat else (1, 1), (1, 1), (1, 1)])
    inner = mask.copy()
    for axis in range(1 if flat else 0, 3):
        for shift in (0, 2):
            part = [slice(None) if flat and a == 0 else slice(1, -1) for a in range(3)]
            part[axis] = slice(shift, shift + mask.shape[axis])
            inner &= frame[tuple(part)]
    return np.argwhere(mask & ~inner).astype(np.int32)
