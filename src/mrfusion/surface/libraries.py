"""The operations on masks out of libraries alone (numpy, cc3d, scipy): the kernels' reference, and their stand-in.

The same names with the same results, bit for bit, stand in :mod:`mrfusion.surface.kernels`. A *frame* is a mask
(x, y, z) of bytes 0 and 1 in C order with a layer of zeros on every side.
"""

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, generate_binary_structure
from scipy.spatial import KDTree

from mrfusion.surface.areas import Spacing
from mrfusion.surface.distances import grouped_sum

NAME = "libraries"

Frame = NDArray[np.uint8]  # (x, y, z)
Codes = NDArray[np.uint8]  # (x-1, y-1, z-1): which of the 8 voxels around a corner are inside, as bits
Corners = NDArray[np.int32]  # (n, 3): corner i of an axis lies between its voxels i and i+1


def extent(volume: NDArray[Any]) -> NDArray[np.int64]:
    """First and one past the last index (3, 2) of what is not 0 in a volume; all 0 where nothing is."""
    found = np.zeros((3, 2), np.int64)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        inside = np.flatnonzero(volume.any(axis=others))
        if len(inside):
            found[axis] = inside[0], inside[-1] + 1
    return found


def dilate(frame: Frame, times: int) -> Frame:
    """The mask grown ``times`` by its 18-neighbourhood, cut at the frame."""
    if times == 0:
        return frame
    inner = np.zeros(frame.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    grown = binary_dilation(frame, generate_binary_structure(3, 2), iterations=times, mask=inner)
    return np.asarray(grown).view(np.uint8)


def label(frame: Frame) -> NDArray[np.unsignedinteger]:
    """The 26-connected components, numbered from 1 in the order of their first voxels."""
    return np.asarray(cc3d.connected_components(frame, connectivity=26))


def restrict(labels: NDArray[Any], frame: Frame) -> NDArray[Any]:
    """The labels where the frame is inside, which is a part of where the labels are."""
    return labels * frame


def sizes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Voxels of each label; entry 0 is 0."""
    count = np.bincount(labels.ravel())
    count[0] = 0
    return count


def owners(labels: NDArray[Any], voxels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The label at each of the voxels (n, 3); 0 outside."""
    x, y, z = voxels.T
    return np.asarray(labels[x, y, z], np.int32)


def overlaps(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int64]:
    """Rows (label in one, label in other, common voxels), ascending, where both are inside."""
    both = np.flatnonzero((one != 0) & (other != 0))
    return grouped_sum(one.ravel()[both], other.ravel()[both], np.ones(len(both), np.int64))


def codes(frame: Frame) -> Codes:
    """The code of every block of 2x2x2 voxels, bits as in :func:`mrfusion.surface.areas.surfel_areas`."""
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
