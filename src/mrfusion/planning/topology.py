"""Levels, strides and kernels for a patch on a grid, and the patch and batch that fit a memory: nnU-Net's rules.

After nnU-Net 2.8.1's ``network_topology.py`` and experiment planners (Isensee et al. 2021, Isensee et al. 2024;
Apache-2.0), written anew. Axes are (S, H, W) or (H, W), as everywhere in mrfusion. No network is built: the sizes of
its maps are counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mrfusion.planning.presets import Preset

LEAST_EDGE = 4  # of the coarsest map
LARGEST = {2: 2048**2, 3: 256**3}  # grid points of the first patch that is tried
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Topology:
    """A patch, and one entry a level, finest first, for the strides and kernels along each axis."""

    patch: Axes
    strides: tuple[Axes, ...]
    kernels: tuple[Axes, ...]

    @property
    def multiple(self) -> Axes:
        """How many grid points of the patch become one at the coarsest level, along each axis."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))

    def grids(self) -> list[Axes]:
        """The grid of each level's maps."""
        grids, grid = [], self.patch
        for step in self.strides:
            grid = tuple(n // s for n, s in zip(grid, step, strict=True))
            grids.append(grid)
        return grids


@dataclass(frozen=True)
class Fit:
    """A topology that fits a memory, and the number of samples of a step."""

    topology: Topology
    batch: int
    reduced: bool


def coarsen(spacing: Sequence[float], patch: Sequence[float]) -> Topology:
    """The levels of a patch whose grid points lie ``spacing`` apart.

    An axis is halved while its map is at least 8 points long, and its spacing less than twice the finest of the axes
    that can still be halved; a single axis is halved only while it is at least 12 points long. A kernel is 1 along an
    axis that is twice as coarse as the finest, until it no longer is, and 3 everywhere at the coarsest level. The patch
    is enlarged to a multiple of its strides.
    """
    now, size = list(spacing), list(patch)
    strides: list[Axes] = [(1,) * len(now)]
    kernels: list[Axes] = []
    kernel = [1] * len(now)
    while axes := _halved(now, size):
        kernel = [3 if k == 3 or s / min(now) < 2 else 1 for k, s in zip(kernel, now, strict=True)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in axes else 1 for axis in range(len(now))))
        now = [s * 2 if axis in axes else s for axis, s in enumerate(now)]
        size = [math.ceil(n / 2) if axis in axes else n for axis, n in enumerate(size)]
    kernels.append((3,) * len(now))
    multiple = [math.prod(axis) for axis in zip(*strides, strict=True)]
    whole = tuple(math.ceil(n / m) * m for n, m in zip(patch, multiple, strict=True))
    return Topology(whole, tuple(strides), tuple(kernels))


def _halved(spacing: Sequence[float], size: Sequence[float]) -> list[int]:
    """The axes that the next level halves."""
    long = [axis for axis, n in enumerate(size) if n >= 2 * LEAST_EDGE]
    if not long:
        return []
    finest = min(spacing[axis] for axis in long)
    near = [axis for axis in long if spacing[axis] / finest < 2]
    return near if len(near) > 1 or size[near[0]] >= 3 * LEAST_EDGE else []


def first_patch(spacing: Sequence[float], median_shape: Sequence[float]) -> list[float]:
    """A patch of equal extent in mm along each axis, far larger than what fits, cut to the median case."""
    inverse = [1 / s for s in spacing]
    factor = (LARGEST[len(inverse)] / math.prod(inverse)) ** (1 / len(inverse))
    return [min(round(i * factor), n) for i, n in zip(inverse, median_shape, strict=True)]


@dataclass(frozen=True)
class Room:
    """What a step may take: ``memory_gb`` of a GPU, in float16; ``voxels`` are those of all cases."""

    memory_gb: float
    voxels: float
    out_channels: int


def fit_memory(preset: Preset, spacing: Sequence[float], median_shape: Sequence[float], room: Room) -> Fit:
    """The largest patch of which two fit the memory, and as many samples of it as fit.

    The axis that is longest, in shares of the median case, is shortened until it fits.
    """
    topology, reduced = coarsen(spacing, first_patch(spacing, median_shape)), False
    while not _fits(preset, topology, room):
        topology, reduced = _smaller(topology, spacing, median_shape), True
    return Fit(topology, fit_batch(preset, topology, room), reduced)


def fit_batch(preset: Preset, topology: Topology, room: Room) -> int:
    """As many samples as fit the memory; no more than the preset's share of all voxels, but at least two."""
    samples = preset.samples[len(topology.patch)]
    fits = round(_reference(preset, topology, room) / map_points(preset, topology, room.out_channels) * samples)
    covered = round(room.voxels * preset.coverage / math.prod(topology.patch))
    return max(min(fits, covered), 2)


def _fits(preset: Preset, topology: Topology, room: Room) -> bool:
    dimensions = len(topology.patch)
    needed = map_points(preset, topology, room.out_channels) / preset.samples[dimensions] * preset.least[dimensions]
    return needed <= _reference(preset, topology, room)


def _reference(preset: Preset, topology: Topology, room: Room) -> float:
    return preset.reference[len(topology.patch)] * room.memory_gb / preset.memory_gb


def _smaller(topology: Topology, spacing: Sequence[float], median_shape: Sequence[float]) -> Topology:
    shares = [n / m for n, m in zip(topology.patch, median_shape, strict=True)]
    axis = max(range(len(shares)), key=lambda a: (shares[a], a))
    shorter = list(topology.patch)
    shorter[axis] -= topology.multiple[axis]
    step = coarsen(spacing, shorter).multiple[axis]  # fewer levels may allow a length in between
    patch = list(topology.patch)
    patch[axis] -= step
    return coarsen(spacing, patch)


def map_points(preset: Preset, topology: Topology, out_channels: int) -> int:
    """Numbers in all maps of a network, for one sample: what its memory goes by."""
    grids, features = topology.grids(), preset.features(topology)
    blocks, up = preset.blocks(len(grids)), preset.up(len(grids))
    total = features[0] * math.prod(grids[0]) if preset.residual else 0  # a stem's, or a first skip's
    for level, grid in enumerate(grids):
        points, before = features[level] * math.prod(grid), features[max(0, level - 1)]
        total += preset.maps_a_block * blocks[level] * points
        coarser = level > 0 and any(step != 1 for step in topology.strides[level])
        total += points if preset.residual and (coarser or before != features[level]) else 0
    for level, grid in enumerate(grids[:-1]):
        total += (up[level] + 1) * features[level] * math.prod(grid)
    return total + out_channels * math.prod(grids[0])
