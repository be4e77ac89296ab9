"""The smallest box that holds everything: most of a volume is empty, so this comes before anything else."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.engine import engine

Window = tuple[slice, slice, slice]


def window(volumes: Sequence[NDArray[Any]], margin: int = 0) -> Window:
    """The box of whatever is not 0 in any of the volumes (x, y, z), grown by ``margin`` voxels where there is room.

    One voxel where there is nothing at all, so that what follows needs no case for it.
    """
    extents = [extent for extent in map(engine.extent, volumes) if extent[0, 1]]
    low = np.min([e[:, 0] for e in extents], axis=0) if extents else np.zeros(3, int)
    high = np.max([e[:, 1] for e in extents], axis=0) if extents else np.ones(3, int)
    first = np.maximum(low - margin, 0)
    last = np.minimum(high + margin, volumes[0].shape)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return x, y, z


def framed(volumes: Sequence[NDArray[Any]], values: Collection[int] | None, margin: int) -> NDArray[np.uint8]:
    """What is inside of two volumes, as bits 0 and 1 of bytes in C order with a layer of zeros on every side.

    Inside are the ``values`` of label maps, or all that is not 0. Only the box of either is kept, grown by ``margin``.
    """
    part = window(volumes, margin)
    cut = [volume[part] for volume in volumes]
    if values is None:
        return _packed([volume != 0 for volume in cut], [1])
    if any(volume.dtype != np.uint8 for volume in cut):
        cut, values = [np.isin(volume, [*values]) for volume in cut], [1]
    frame = _packed(cut, values)
    return np.ascontiguousarray(frame[window([frame], margin + 1)])


def _packed(volumes: Sequence[NDArray[Any]], values: Collection[int]) -> NDArray[np.uint8]:
    inside = np.zeros(256, np.uint8)
    inside[[value for value in values if 0 <= value < 256]] = 1
    frame: NDArray[np.uint8] = engine.packed(*(volume.view(np.uint8) for volume in volumes), inside)
    return frame
