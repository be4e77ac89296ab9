"""The part of a head that a reader of grades looks at: a box around the tumour's core."""

import numpy as np
from numpy.typing import NDArray

from mrfusion.phantom.fields import Box
from mrfusion.phantom.lesion import ED


def around_tumour(labels: NDArray[np.uint8], box_mm: float, spacing_mm: float) -> Box:
    """A cube of ``box_mm`` around the core of [X, Y, Z] labels (the tumour, where it has no core), moved inside the
    grid; an axis that is no longer is taken whole."""
    core = (labels > 0) & (labels != ED)
    places = np.argwhere(core if core.any() else labels > 0)
    middles = places.mean(0) if len(places) else np.array(labels.shape) / 2
    size = max(1, round(min(box_mm / spacing_mm, max(labels.shape))))
    starts = [
        int(np.clip(round(middle - size / 2), 0, max(0, extent - size)))
        for middle, extent in zip(middles, labels.shape, strict=True)
    ]
    x, y, z = (slice(start, min(start + size, n)) for start, n in zip(starts, labels.shape, strict=True))
    return x, y, z
