"""The part of a head that a reader of grades looks at: a box around the tumour's core."""

import numpy as np
from numpy.typing import NDArray

from mrfusion.phantom.fields import Box
from mrfusion.phantom.lesion import ED


def whole(labels: NDArray[np.uint8]) -> Box:
    """All of it."""
    x, y, z = (slice(0, extent) for extent in labels.shape)
    return x, y, z


def around_tumour(labels: NDArray[np.uint8], box_mm: float, spacing_mm: float) -> Box:
    """A cube of ``box_mm`` around the core of [X, Y, Z] labels (the tumour, where it has no core), moved inside the
    grid; an axis that is shorter is taken whole."""
    core = (labels > 0) & (labels != ED)
    places = np.argwhere(core if core.any() else labels > 0)
    size = max(1, round(box_mm / spacing_mm))
    starts = [
        int(np.clip(round(middle - size / 2), 0, max(0, extent - size)))
        for middle, extent in zip(places.mean(0), labels.shape, strict=True)
    ]
    x, y, z = (slice(start, min(start + size, n)) for start, n in zip(starts, labels.shape, strict=True))
    return x, y, z
