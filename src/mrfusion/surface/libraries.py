"""The operations on masks out of libraries alone (numpy, cc3d, scipy): the kernels' reference, and their stand-in.

The same names with the same results, bit for bit, stand in :mod:`mrfusion.surface.kernels`.
"""

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, generate_binary_structure
from scipy.spatial import KDTree

from mrfusion.surface.areas import Spacing

NAME = "libraries"

Mask = NDArray[np.bool_]  # (x, y, z), C order
Labels = NDArray[np.unsignedinteger]  # (x, y, z): 0 outside, 1.. the components in the order of their first voxels
Codes = NDArray[np.uint8]  # (x+1, y+1, z+1): which of the 8 voxels around a corner are inside, as bits
Corners = NDArray[np.int32]  # (n, 3): the corner between voxels i-1 and i of each axis


def dilate(mask: Mask, times: int) -> Mask:
    """The mask grown ``times`` by its 18-neighbourhood, cut at the border of the array."""
    if times == 0:
        return mask
    return np.asarray(binary_dilation(mask, generate_binary_structure(3, 2), iterations=times))


def label(mask: Mask) -> Labels:
    """The 26-connected components, numbered by their first voxels."""
    return np.asarray(cc3d.connected_components(mask, connectivity=26))


def overlaps(one: Labels, other: Labels) -> NDArray[np.int64]:
    """Rows (label in one, label in other, common voxels), ascending, wherever either is not 0."""
    inside = np.flatnonzero((one != 0) | (other != 0))
    return counted(one.ravel()[inside], other.ravel()[inside], np.ones(len(inside), np.int64))


def counted(one: NDArray[Any], other: NDArray[Any], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Equal rows (one, other) as one row, their times added up."""
    width = int(other.max(initial=0)) + 1
    keys, row = np.unique(one.astype(np.int64) * width + other, return_inverse=True)
    total = np.zeros(len(keys), np.int64)
    np.add.at(total, row, times)
    return np.stack([keys // width, keys % width, total], axis=1)


def codes(frame: Mask) -> Codes:
    """The code of every block of 2x2x2 voxels of a mask that has a layer of zeros around it.

    Bits as in :func:`mrfusion.surface.areas.surfel_areas`: a surface passes where the code is neither 0 nor 255.
    """
    x, y, z = (n - 1 for n in frame.shape)
    code = np.zeros((x, y, z), np.uint8)
    for place, (i, j, k) in enumerate(np.ndindex(2, 2, 2)):
        code |= frame[i : i + x, j : j + y, k : k + z] << np.uint8(7 - place)
    return code


def nearest(points: Corners, others: Corners, spacing_mm: Spacing, _: Codes | None = None) -> Corners:
    """For each point the nearest of the others, of which there is at least one (of equally near ones, any)."""
    spacing = np.array(spacing_mm)
    index = KDTree(others * spacing).query(points * spacing)[1]
    return np.asarray(others[index])
