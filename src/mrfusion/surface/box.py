"""The smallest box that holds everything: most of a volume is empty, so this comes before anything else."""

from collections.abc import Sequence
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


def framed(volumes: Sequence[NDArray[Any]], part: Window) -> NDArray[np.uint8]:
    """What is not 0 in a part of two volumes, as bits 0 and 1 of bytes in C order with zeros on every side."""
    masks = [v[part] if v.dtype == bool else v[part] != 0 for v in volumes]
    frame: NDArray[np.uint8] = engine.packed(*(mask.view(np.uint8) for mask in masks))
    return frame
