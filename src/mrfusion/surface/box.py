"""The smallest box that holds everything: most of a volume is empty, so this comes before anything else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice, slice]


def window(volumes: Sequence[NDArray[Any]], margin: int = 0) -> Window:
    """The box of whatever is not 0 in any of the volumes (x, y, z), grown by ``margin`` voxels where there is room.

    One voxel where there is nothing at all, so that what follows needs no case for it.
    """
    extents = [_extent(volume) for volume in volumes if volume.any()]
    low = np.min([e[0] for e in extents], axis=0) if extents else np.zeros(3, int)
    high = np.max([e[1] for e in extents], axis=0) if extents else np.ones(3, int)
    first = np.maximum(low - margin, 0)
    last = np.minimum(high + margin, volumes[0].shape)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return x, y, z


def _extent(volume: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and one past the last index of each axis; reads the volume in the order in which it lies in memory."""
    axes = sorted(range(3), key=lambda axis: -abs(volume.strides[axis]))
    ordered = volume.transpose(axes)
    plane = np.bitwise_or.reduce(ordered, axis=0)  # row by row, so with vector instructions
    rows, columns = (np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0))
    layers = np.flatnonzero([layer.any() for layer in ordered])
    low, high = np.zeros(3, np.intp), np.zeros(3, np.intp)
    for axis, found in zip(axes, (layers, rows, columns), strict=True):
        low[axis], high[axis] = found[0], found[-1] + 1
    return low, high
