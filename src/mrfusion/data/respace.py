"""Other spacings along the same axes, by cubic splines: far-apart slices are never blended.

After nnU-Net 2.8.1's ``resample_data_or_seg`` (Isensee et al. 2021; Apache-2.0), written anew with scipy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from mrfusion.data.grid import Grid

UNEVEN = 3.0  # times further apart along one axis than along the finest: nearest voxel along that axis


@dataclass(frozen=True)
class Respacing:
    """From a grid to another of the same axes and centre, as :func:`mrfusion.data.prepare.spaced` makes them."""

    source: Grid
    onto: Grid

    @property
    def apart(self) -> int | None:
        """The axis along which voxels lie far apart, before or after; None where there is no single one."""
        for spacing in (np.array(self.source.spacing_mm), np.array(self.onto.spacing_mm)):
            coarsest = np.flatnonzero(np.isclose(spacing, spacing.max(), rtol=1e-3))
            if spacing.max() / spacing.min() > UNEVEN:
                return int(coarsest[0]) if len(coarsest) == 1 else None
        return None

    def image(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """(X, Y, Z) by cubic splines within the range of its values; what was 0 at the nearest voxel is 0."""
        moved = self._moved(array.astype(np.float64), 3)
        moved = np.clip(moved, array.min(), array.max())
        inside = self._moved((array != 0).astype(np.uint8), 0) > 0
        return np.where(inside, moved, 0).astype(np.float32)

    def labels(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(X, Y, Z): the label with the largest share of the linear weights, of equals the highest."""
        return largest_share(array, lambda mask: self._moved(mask.astype(np.float32), 1))

    def _moved(self, array: NDArray[Any], order: int) -> NDArray[Any]:
        apart = self.apart
        if apart is None or order == 0:
            return self._along((0, 1, 2), array, order)
        plane = tuple(axis for axis in range(3) if axis != apart)
        slices = [self._along(plane, part, order) for part in np.moveaxis(array, apart, 0)]
        return self._along((apart,), np.stack(slices, apart), 0)

    def _along(self, axes: tuple[int, ...], array: NDArray[Any], order: int) -> NDArray[Any]:
        """Move along some axes; the array has just these, or all three, of which the others stay as they are."""
        kept = array.ndim != len(axes)
        every = range(3) if kept else axes
        old, new = np.array(self.source.spacing_mm), np.array(self.onto.spacing_mm)
        shape, scale, offset = list(array.shape), np.ones(array.ndim), np.zeros(array.ndim)
        for place, axis in enumerate(every):
            if axis in axes:
                shape[place], scale[place] = self.onto.shape[axis], new[axis] / old[axis]
                offset[place] = (self.source.shape[axis] - 1) / 2 - scale[place] * (shape[place] - 1) / 2
        moved: NDArray[Any] = affine_transform(
            array, scale, offset, output_shape=tuple(shape), order=order, mode="nearest"
        )
        return moved


def largest_share(channels: NDArray[np.uint8], moved: Callable[[NDArray[np.bool_]], NDArray[Any]]) -> NDArray[np.uint8]:
    """The label with the largest share after moving; of equals the highest, lest small regions shrink."""
    first, *others = np.unique(channels)
    best = moved(channels == first)
    out = np.where(best > 0, first, 0).astype(channels.dtype)
    for value in others:
        share = moved(channels == value)
        out[(share >= best) & (share > 0)] = value
        best = np.maximum(best, share)
    return out
