"""How a slice is shown: upright, seen from the feet, between two percentiles of its own points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def upright(plane: NDArray[Any]) -> NDArray[Any]:
    """A plane of two RAS+ axes, in their order, as rows from the top, the way radiologists look; stacks of them too.

    The second axis runs up and the first to the left: the right of the patient is on the left, and in sagittal planes
    so is anterior. One rule for all planes keeps oblique ones, such as the short axis of hearts, from being mirrored.
    """
    return plane.swapaxes(-2, -1)[..., ::-1, ::-1]


def grey(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """20 to 255 between the 0.5th and 99.5th percentile of the points that are not 0; these stay black."""
    values = np.asarray(plane, np.float32)
    inside = values != 0
    if not inside.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[inside], (0.5, 99.5))
    scaled = 20 + 235 * (values - low) / max(float(high - low), 1e-6)
    return np.where(inside, np.clip(scaled, 20, 255), 0).astype(np.uint8)


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The points of a mask (H, W) with a neighbour that is not in it; the edge of the picture is no such neighbour."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)
