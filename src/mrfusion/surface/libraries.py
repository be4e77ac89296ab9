"""The operations on masks out of libraries alone (numpy, cc3d, scipy): the kernels' reference, and their stand-in.

The same names with the same results, bit for bit, stand in :mod:`mrfusion.surface.kernels`. A *frame* is a mask
(x, y, z) of bytes 0 and 1 in C order with a layer of zeros on every side.
"""

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, generate_binary_structure
from scipy.optimize import linear_sum_assignment  # noqa: F401  an operation of both
from scipy.spatial import KDTree

from mrfusion.surface.areas import Spacing
from mrfusion.surface.counting import grouped_sum

NAME = "libraries"

Frame = NDArray[np.uint8]  # (x, y, z)
Codes = NDArray[np.uint8]  # (n,): which of the 8 voxels around a corner are inside, as bits
Corners = NDArray[np.int32]  # (n, 3): corner i of an axis lies between its voxels i and i+1

_LOWEST = [(code & -code).bit_length() - 1 if code else 0 for code in range(256)]
_INSIDE = np.array([[1 - (bit >> axis & 1) for axis in (2, 1, 0)] for bit in _LOWEST], np.int32)


def ready() -> bool:
    """There is nothing to compile."""
    return True


def extent(volume: NDArray[Any]) -> NDArray[np.int64]:
    """First and one past the last index (3, 2) of what is not 0 in a volume; all 0 where nothing is."""
    found = np.zeros((3, 2), np.int64)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        inside = np.flatnonzero(volume.any(axis=others))
        if len(inside):
            found[axis] = inside[0], inside[-1] + 1
    return found


def packed(one: NDArray[np.uint8], other: NDArray[np.uint8], inside: NDArray[np.uint8]) -> Frame:
    """Two volumes of bytes as bits 0 and 1 of one frame: ``inside`` (256,) says 0 or 1 of each byte, 0 of byte 0."""
    return np.pad(np.ascontiguousarray(inside[one] | inside[other] << 1), 1)


def counted(frame: Frame) -> tuple[int, int, int]:
    """How many voxels are inside the first, the second and both of the two masks of a frame."""
    _, one, other, both = np.bincount(frame.ravel(), minlength=4).tolist()
    return one + both, other + both, both


def dilate(frame: Frame, times: int) -> Frame:
    """Grow the mask in place, ``times`` by its 18-neighbourhood and cut at the frame."""
    if times:
        inner = np.zeros(frame.shape, bool)
        inner[1:-1, 1:-1, 1:-1] = True
        frame[:] = binary_dilation(frame, generate_binary_structure(3, 2), iterations=times, mask=inner)
    return frame


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


def owners(labels: NDArray[Any], corners: Corners, code: Codes) -> NDArray[np.int32]:
    """Whose surface passes each corner: the label of one inside voxel of its block, which never holds two."""
    x, y, z = (corners + _INSIDE[code]).T
    return np.asarray(labels[x, y, z], np.int32)


def overlaps(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int64]:
    """Rows (label in one, label in other, common voxels), ascending, where both are inside."""
    both = np.flatnonzero((one != 0) & (other != 0))
    return grouped_sum(one.ravel()[both], other.ravel()[both], np.ones(len(both), np.int64))


def corners(frame: Frame) -> tuple[Corners, Codes, None]:
    """The corners with voxels both inside and outside around them, in C order, their codes (n,), and no marks.

    A code's bits are those of :func:`mrfusion.surface.areas.surfel_areas`.
    """
    x, y, z = (n - 1 for n in frame.shape)
    codes = np.zeros((x, y, z), np.uint8)
    for place, (i, j, k) in enumerate(np.ndindex(2, 2, 2)):
        codes |= frame[i : i + x, j : j + y, k : k + z] << np.uint8(7 - place)
    at = np.nonzero((codes != 0) & (codes != 255))
    return np.stack(at, axis=1).astype(np.int32), codes[at], None


def borders(frame: Frame, *, flat: bool) -> tuple[Corners, None]:
    """The mask's voxels (n, 3) with a face to the outside, in C order, and no marks.

    Faces along x are not asked where the frame is ``flat``, one layer of voxels.
    """
    cross = generate_binary_structure(3, 1)
    if flat:
        cross[[0, 2]] = False
    return np.argwhere(frame.astype(bool) & ~binary_erosion(frame, cross)).astype(np.int32), None


def grouped(owner: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order by owner, and where in it each owner's points begin (largest owner + 2,)."""
    return np.argsort(owner, kind="stable"), np.concatenate(([0], np.cumsum(np.bincount(owner))))


def index(corners: Corners, owner: NDArray[np.int32], spacing_mm: Spacing) -> tuple[Corners, NDArray[np.int32]]:
    """Points and their owners, to be searched."""
    del spacing_mm
    return corners, owner


def look_around(points: Corners, marks: None, spacing_mm: Spacing) -> NDArray[np.int32]:
    """Nothing: a tree searches near and far alike, so every point is left (-1) to :func:`nearest`."""
    del marks, spacing_mm
    return np.full(len(points), -1, np.int32)


def nearest(
    points: Corners,
    others: tuple[Corners, NDArray[np.int32]],
    spacing_mm: Spacing,
    owners: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """For each point which of the others, or of those of some owners, is the nearest; of equally near ones, any."""
    corners, owner = others
    chosen = np.arange(len(corners)) if owners is None else np.flatnonzero(np.isin(owner, owners))
    spacing = np.array(spacing_mm)
    return np.asarray(chosen[KDTree(corners[chosen] * spacing).query(points * spacing)[1]])


def apart(points: Corners, others: Corners, partner: NDArray[Any], spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance in mm from each point to its partner among the others, both in voxels (n, 3)."""
    a, b, c = ((points[:, axis] - others[partner, axis]) * spacing_mm[axis] for axis in range(3))
    return np.asarray(np.sqrt((a * a + b * b) + c * c))


def tally(
    distance: NDArray[np.float64], rank: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int64]]:
    """The different pairs of distance and rank, in any order, and how often each stands there."""
    pairs, count = np.unique(np.stack([distance, rank]), axis=1, return_counts=True)
    return pairs[0], pairs[1].astype(np.uint8), count
