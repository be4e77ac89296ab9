"""Which samples a training sees: draws of places in cases, a pure function of seed, epoch and number.

A case is held slices first, (S, M, H, W). A 2-D sample is a box of one slice, a 3-D sample a box of several; so one
way of drawing and cutting serves both. Nothing here depends on how many workers or processes read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

Place = tuple[int, int, int]


@dataclass(frozen=True)
class LoadedCase:
    """One case as a training reads it: arrays in memory or memory-mapped, slices first.

    ``present`` says which of the modalities that the plan reads are there, and ``images`` (S, K, H, W) holds just
    these, in their order, cropped to the box of just these; ``labels`` is an index map (S, H, W), 0 where nothing is;
    ``class_index`` the case's class or category, -1 if none; ``slices`` the range that may be drawn; ``spacing_mm`` the
    distances of grid points along (S, H, W).
    """

    id: str
    images: Float[Any, "s k h w"]
    labels: UInt8[Any, "s h w"]
    present: tuple[bool, ...]
    class_index: int
    slices: tuple[int, int]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def those_present(self, modalities: Sequence[str]) -> tuple[str, ...]:
        """The plan's ``modalities`` without those that are absent."""
        return tuple(name for name, here in zip(modalities, self.present, strict=True) if here)

    def spread(self, slices: slice) -> Float[Any, "s m h w"]:
        """Some of its slices as float32 with all modalities of the plan; zeros where one is absent."""
        part = self.images[slices]
        whole = np.zeros((len(part), len(self.present), *part.shape[2:]), np.float32)
        whole[:, np.array(self.present)] = part
        return whole


@dataclass(frozen=True)
class Draw:
    """One sample: the case's position in the list, and the first (slice, row, column) of its box; may be negative."""

    case: int
    start: Place


class Sampler:
    """Draws of an epoch: ``per_case`` of each case, in random order, a share of them around a labelled voxel.

    The label of that voxel is drawn first, each as likely as another, then the voxel; so that small regions are seen.
    Such a box holds its voxel anywhere, or with ``centred`` in its middle, as far as the case reaches: nnU-Net's way,
    whose share is a third. With ``every_slice`` each slice of a case's range is drawn once instead.
    """

    def __init__(
        self,
        cases: Sequence[LoadedCase],
        size: Place,
        *,
        per_case: int,
        foreground: float,
        every_slice: bool,
        seed: int,
        centred: bool = False,
    ) -> None:
        self.cases, self.size, self.per_case, self.foreground = cases, size, per_case, foreground
        self.every_slice, self.seed, self.centred = every_slice, seed, centred
        self.voxels = [_labelled_voxels(case) for case in cases]

    def epoch(self, number: int) -> list[Draw]:
        """The draws of an epoch in their order; the same for the same seed and number."""
        random = np.random.default_rng((self.seed, number))
        one = self._every_slice if self.every_slice else self._some
        draws = [draw for index in range(len(self.cases)) for draw in one(index, random)]
        return [draws[i] for i in random.permutation(len(draws))]

    def _every_slice(self, index: int, random: np.random.Generator) -> list[Draw]:
        first, last = self.cases[index].slices
        return [Draw(index, self._around(index, self._any_voxel(index, s, random), random)) for s in range(first, last)]

    def _some(self, index: int, random: np.random.Generator) -> list[Draw]:
        return [Draw(index, self._start(index, random)) for _ in range(self.per_case)]

    def _start(self, index: int, random: np.random.Generator) -> Place:
        groups = self.voxels[index]
        if not groups or random.random() >= self.foreground:
            any_slice = int(random.integers(*self.cases[index].slices))
            return self._around(index, self._any_voxel(index, any_slice, random), random)
        group = groups[random.integers(len(groups))]
        s, row, column = (int(n) for n in group[random.integers(len(group))])
        voxel = (s, row, column)
        return self._centred_on(index, voxel) if self.centred else self._around(index, voxel, random)

    def _any_voxel(self, index: int, s: int, random: np.random.Generator) -> Place:
        _, rows, columns = self.cases[index].labels.shape
        return s, int(random.integers(rows)), int(random.integers(columns))

    def _around(self, index: int, voxel: Place, random: np.random.Generator) -> Place:
        """A box that holds the voxel at a random place and stays inside the case; centred where the case is smaller."""
        starts = []
        for at, size, extent in zip(voxel, self.size, self.cases[index].labels.shape, strict=True):
            lowest, highest = max(0, at - size + 1), min(at, extent - size)
            starts.append((extent - size) // 2 if extent <= size else int(random.integers(lowest, highest + 1)))
        return starts[0], starts[1], starts[2]

    def _centred_on(self, index: int, voxel: Place) -> Place:
        """A box that holds the voxel in its middle and stays inside the case; centred where the case is smaller."""
        starts = [
            (extent - size) // 2 if extent <= size else min(max(at - size // 2, 0), extent - size)
            for at, size, extent in zip(voxel, self.size, self.cases[index].labels.shape, strict=True)
        ]
        return starts[0], starts[1], starts[2]


def cut(array: Any, start: Place, size: Place, into: NDArray[Any]) -> None:
    """Copy a box of ``array`` (S, ..., H, W) into ``into`` (D, ..., h, w), which must be zero where the box is outside.

    ``array`` is one, or reads like one (:class:`mrfusion.data.on_disk.OnDisk`).

    Axes between the first and the last two are taken whole.
    """
    places = [_overlap(a, n, extent) for a, n, extent in zip(start, size, _grid(array.shape), strict=True)]
    source = tuple(slice(lo, hi) for lo, hi, _ in places)
    target = tuple(slice(shift, shift + hi - lo) for lo, hi, shift in places)
    into[target[0], ..., target[1], target[2]] = array[source[0], ..., source[1], source[2]]


def _overlap(start: int, size: int, extent: int) -> tuple[int, int, int]:
    low, high = max(0, start), min(extent, start + size)
    return low, max(low, high), low - start


def _grid(shape: tuple[int, ...]) -> Place:
    return shape[0], shape[-2], shape[-1]


def _labelled_voxels(case: LoadedCase, most: int = 2000) -> list[NDArray[np.int32]]:
    """Up to ``most`` voxels of each label inside the case's range, evenly taken, so that no mask stays in memory."""
    first, last = case.slices
    labels = np.asarray(case.labels[first:last])
    groups = []
    for label in np.unique(labels[labels > 0]):
        flat = np.flatnonzero(labels == label)
        chosen = flat[:: max(1, len(flat) // most)][:most]
        places = np.stack(np.unravel_index(chosen, labels.shape), 1) + np.array((first, 0, 0))
        groups.append(places.astype(np.int32))
    return groups
