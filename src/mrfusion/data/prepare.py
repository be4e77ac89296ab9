"""Preparation of one case: optional resampling, one scale per modality, crop to what is not zero, slices first.

Strict by construction: each modality is normalised by itself and has a box of its own, so that what is read for a
subset of modalities is the same as if the others had never been there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.data.respace import Respacing
from mrfusion.data.volume import Resampler, Volume
from mrfusion.spec import Scale

VERSION = 2  # to be raised whenever what is computed here or read in volume.py changes
STORED = np.float16  # z-scores lie within a few tens; float16 resolves 0.004 at 4
Spacing = tuple[float | None, float | None, float | None]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where stored arrays lie in the case: all that is needed to put a prediction back.

    ``source`` is the grid of the files in RAS+, ``grid`` the prepared one (the same without ``spacing_mm``). ``boxes``
    are per modality, in voxels (X, Y, Z) of ``grid``. ``slice_axis`` is the axis along which slices lie in the files
    (:func:`slice_axis`), and so in ``grid``.
    """

    source: Grid
    grid: Grid
    boxes: dict[str, Box]
    slice_axis: int

    @property
    def order(self) -> tuple[int, int, int]:
        """The axes of (X, Y, Z) that (S, H, W) are."""
        first, second = (axis for axis in range(3) if axis != self.slice_axis)
        return self.slice_axis, first, second

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Of the prepared grid, in the order (S, H, W)."""
        s, h, w = (self.grid.spacing_mm[axis] for axis in self.order)
        return s, h, w

    def box(self, modalities: Iterable[str]) -> Box:
        """The smallest box (X, Y, Z) that holds the boxes of these modalities."""
        chosen = [self.boxes[name] for name in modalities]
        x, y, z = (slice(min(b[a].start for b in chosen), max(b[a].stop for b in chosen)) for a in range(3))
        return x, y, z

    def window(self, modalities: Iterable[str]) -> Box:
        """The same box as slices (S, H, W) into arrays that are stored cropped to the box of all modalities."""
        inner, outer = self.box(modalities), self.box(self.boxes)
        starts = [slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True)]
        s, h, w = (starts[axis] for axis in self.order)
        return s, h, w


@dataclass(frozen=True, eq=False)
class Arrays:
    """``images`` (S, M, H, W) float16 and ``labels`` (S, H, W) cropped to the box of all modalities; ``truth`` the
    whole label map (X, Y, Z) of the source grid."""

    images: NDArray[np.float16]
    labels: NDArray[np.uint8] | None
    truth: NDArray[np.uint8] | None
    placement: Placement
    notes: tuple[str, ...]


def prepare(
    volume: Volume,
    *,
    spacing_mm: Spacing | None = None,
    crop: bool = True,
    resample: Resampler | None = None,
    scaling: Mapping[str, Scale] | None = None,
    whole_box: bool = False,
) -> Arrays:
    """Prepare one case.

    ``spacing_mm``: twice in the plane of the slices, then between them, so that stacks acquired in any plane become
    alike; None leaves an axis as it is. Cases are brought to it by ``resample``, or where none is given by cubic
    splines. The numbers of modalities in ``scaling`` are scaled as it says, all others by z-scores of the voxels that
    are not 0, or of the ``whole_box`` around them.
    """
    axis = slice_axis(volume.grid)
    grid = volume.grid if spacing_mm is None else spaced(volume.grid, _along(spacing_mm, volume.grid, axis))
    images, labels = (volume.images_MXYZ, volume.labels_XYZ) if spacing_mm is None else _moved(volume, grid, resample)
    boxes = {n: box_of(i) if crop else _whole(i) for n, i in zip(volume.modalities, images, strict=True)}
    placement = Placement(volume.grid, grid, boxes, axis)
    scales, found = scaling or {}, []
    for name, image in zip(volume.modalities, images, strict=True):
        box = boxes[name] if whole_box else None
        found.append(scaled(image, scales[name]) if name in scales else zscore(image, box))
    scored, notes = zip(*found, strict=True)
    union = placement.box(boxes)
    stored = np.stack([s[union].transpose(placement.order) for s in scored], axis=1).astype(STORED)
    cut = None if labels is None else np.ascontiguousarray(labels[union].transpose(placement.order))
    said = [f"{name}: {note}" for name, note in zip(volume.modalities, notes, strict=True) if note]
    return Arrays(stored, cut, volume.labels_XYZ, placement, (*volume.notes, *said, *_lost(labels, union)))


def _moved(
    volume: Volume, grid: Grid, resample: Resampler | None
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    """Images and labels on another grid, one modality at a time, so that none can depend on which others there are."""
    images, labels = volume.images_MXYZ, volume.labels_XYZ
    if resample is None:
        move = Respacing(volume.grid, grid)
        return np.stack([move.image(image) for image in images]), None if labels is None else move.labels(labels)
    moved = np.stack([resample(image, volume.affine, onto=grid, labels=False) for image in images])
    return moved, None if labels is None else resample(labels, volume.affine, onto=grid, labels=True)


def scaled(image: NDArray[np.float32], scale: Scale) -> tuple[NDArray[np.float32], str]:
    """Clipped, then (value - mean) / sd, as nnU-Net's CTNormalization; there is nothing to note."""
    clipped = np.clip(image.astype(np.float64), scale.low, scale.high)
    return ((clipped - scale.mean) / scale.sd).astype(np.float32), ""


def zscore(image: NDArray[np.float32], box: Box | None = None) -> tuple[NDArray[np.float32], str]:
    """Mean 0 and standard deviation 1 over the voxels that are not 0, or over a box; all others become 0.

    And a note if that cannot be.
    """
    mask = image != 0
    if box is not None and mask.any():
        mask = np.zeros(image.shape, bool)
        mask[box] = True
    values = image[mask].astype(np.float64)
    out = np.zeros_like(image)
    if not values.size:
        return out, "every voxel is 0"
    deviation = values.std()
    if deviation <= 1e-6 * abs(values.mean()):
        return out, f"every voxel that is not 0 is {values[0]:g}; all are 0 after normalisation"
    out[mask] = (values - values.mean()) / deviation
    return out, ""


def box_of(array: NDArray[Any]) -> Box:
    """The smallest box that holds everything that is not 0; the whole array where there is nothing."""
    sides = []
    for axis in range(3):
        there = np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis)))
        if not there.size:
            return _whole(array)
        sides.append(slice(int(there[0]), int(there[-1]) + 1))
    x, y, z = sides
    return x, y, z


def slice_axis(grid: Grid) -> int:
    """The axis along which slices lie: that of a single slice, else that of the largest spacing, the last of equals.

    Spacings within a hundredth of the largest are equal.
    """
    single = [axis for axis in range(3) if grid.shape[axis] == 1]
    largest = max(grid.spacing_mm)
    return max(single or [axis for axis in range(3) if grid.spacing_mm[axis] >= 0.99 * largest])


def _along(spacing_mm: Spacing, grid: Grid, axis: int) -> tuple[float, float, float]:
    """A spacing (plane, plane, between slices) in the order of the grid's axes (X, Y, Z)."""
    wanted = list(spacing_mm[:2])
    wanted.insert(axis, spacing_mm[2])
    x, y, z = (old if new is None else new for old, new in zip(grid.spacing_mm, wanted, strict=True))
    return x, y, z


def spaced(grid: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    """A grid of another spacing with the same centre and axes that covers the same space to within half a voxel."""
    old, new = np.array(grid.spacing_mm), np.array(spacing_mm, np.float64)
    x, y, z = (max(1, int(n)) for n in np.rint(np.array(grid.shape) * old / new))
    affine = grid.affine.copy()
    affine[:3, :3] *= new / old
    affine[:3, 3] += grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2)
    affine[:3, 3] -= affine[:3, :3] @ ((np.array((x, y, z)) - 1) / 2)
    return Grid((x, y, z), affine)


def _whole(array: NDArray[Any]) -> Box:
    x, y, z = (slice(0, n) for n in array.shape)
    return x, y, z


def _lost(labels: NDArray[np.uint8] | None, box: Box) -> list[str]:
    """Labels where every image is zero cannot be learnt; scores still count them."""
    lost = 0 if labels is None else int(np.count_nonzero(labels)) - int(np.count_nonzero(labels[box]))
    return [f"{lost} labelled voxels lie outside the box of the images"] if lost else []
