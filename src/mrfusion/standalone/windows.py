"""A sliding window over a case, in arrays alone: the same windows and weights as MONAI's."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def padded(images: NDArray[np.float32], steps: Sequence[int]) -> NDArray[np.float32]:
    """Zeros behind, so that the grid is a multiple of the network's stride."""
    more = [(0, -n % step) for n, step in zip(images.shape[2:], steps, strict=True)]
    return np.ascontiguousarray(np.pad(images, [(0, 0), (0, 0), *more]))


def mirrored(
    answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], images: NDArray[np.float32], mirror: bool
) -> NDArray[np.float32]:
    """The mean answer over all mirrors of images (1, M, ..), mirrored back; without ``mirror`` the answer itself."""
    axes = range(2, images.ndim) if mirror else ()
    flips = [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]
    found = answer(images)
    for flip in flips[1:]:
        more = answer(np.ascontiguousarray(np.flip(images, flip)))
        found = found + (np.flip(more, flip) if more.ndim == images.ndim else more)  # of classes nothing turns
    return found / np.float32(len(flips))


def windows(
    images: NDArray[np.float32], size: Sequence[int], answer: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Windows that overlap by half, weighted by a Gaussian whose sigma is an eighth of each side, as MONAI's."""
    lacking = [max(0, want - n) for want, n in zip(size, images.shape[1:], strict=True)]
    before = [n // 2 for n in lacking]
    image = np.pad(images, [(0, 0), *((b, n - b) for b, n in zip(before, lacking, strict=True))])
    weight = np.ones((1,) * len(size), np.float32)
    for axis, side in enumerate(size):
        x = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
        bell = np.exp(x**2 / np.float32(-2 * (0.125 * side) ** 2))
        weight = weight * bell.reshape([-1 if other == axis else 1 for other in range(len(size))])
    weight = np.maximum(weight, max(float(weight.min()), 1e-3))
    total: Any = None
    weights = np.zeros(image.shape[1:], np.float32)
    for start in starts(image.shape[1:], size):
        place = tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))
        found = answer(np.ascontiguousarray(image[(slice(None), *place)]))
        total = np.zeros((len(found), *weights.shape), np.float32) if total is None else total
        total[(slice(None), *place)] += found * weight
        weights[place] += weight
    whole = tuple(slice(b, b + n) for b, n in zip(before, images.shape[1:], strict=True))
    return np.asarray((total / weights)[(slice(None), *whole)])


def starts(shape: Sequence[int], size: Sequence[int]) -> Iterator[tuple[int, ...]]:
    each = []
    for extent, side in zip(shape, size, strict=True):
        step = side if extent == side else max(1, side // 2)
        each.append([min(n * step, extent - side) for n in range(math.ceil((extent - side) / step) + 1)])
    return itertools.product(*each)
