"""One patient's brain: the MNI152 tissue maps, sharpened, moved by a random affine and smooth deformation.

The maps (grey and white matter, brain mask at 1 mm) lie in nilearn's wheel; nothing is downloaded. They are averages of
152 people; raised to the power 2.2 and renormalised they have the sharpness of one, and sulci of its own are folded in.
Source of the maps: Fonov et al., NeuroImage 54 (2011) 313.
"""

import functools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template
from numpy.typing import NDArray
from scipy import ndimage

from mrfusion.phantom.fields import Array, Axes, Grid, SmoothField, along_axis
from mrfusion.phantom.sulci import Sulci, fold

Number = TypeVar("Number", bound=np.generic)

SHARPNESS = 2.2
_BOX = (slice(20, 177), slice(20, 214), slice(0, 162))  # the brain in the 1 mm maps, with a margin
_MIDDLE = np.array([78.0, 97.0, 77.0], dtype=np.float32)  # the brain's middle in voxels of that box
_SITE_DEPTH_MM = 14.0  # a tumour starts at least this far inside the brain


@dataclass(frozen=True)
class Maps:
    """Brain 0-1, grey and white matter fractions, depth in mm, nearness to the ventricles; 1 mm, float32 [X, Y, Z]."""

    brain: Array
    grey: Array
    white: Array
    depth: Array
    near_ventricles: Array

    def at(self, name: str, points_3N: Array) -> Array:
        """A map at points in mm from the brain's middle, linear between voxels, 0 outside."""
        places = points_3N + _MIDDLE[:, None]
        return np.asarray(ndimage.map_coordinates(getattr(self, name), places, order=1), dtype=np.float32)


@functools.cache
def mni_maps() -> Maps:
    """The maps at 1 mm, loaded once: about 1 s and 100 MB."""
    grey, white, brain = (
        np.asarray(load(resolution=1).dataobj)[_BOX].astype(np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template, load_mni152_brain_mask)
    )
    fractions = np.stack([grey, white, np.clip(brain - grey - white, 0, None)]) ** np.float32(SHARPNESS)
    fractions /= np.maximum(fractions.sum(0), 1e-6)
    depth = ndimage.distance_transform_edt(brain[::2, ::2, ::2]).astype(np.float32) * 2
    depth = np.repeat(np.repeat(np.repeat(depth, 2, 0), 2, 1), 2, 2)[tuple(slice(n) for n in brain.shape)]
    smooth_brain = ndimage.gaussian_filter(brain, 1.5)
    smooth_depth = ndimage.gaussian_filter(depth, 1.5)
    return Maps(smooth_brain, fractions[0], fractions[1], smooth_depth, _near_ventricles(fractions[2]))


@functools.cache
def maps_seen_at(spacing_mm: float) -> Maps:
    """The maps with tissue fractions blurred to what a voxel of this size sees; 0.2 s, once per spacing."""
    maps = mni_maps()
    sd = 0.42 * np.sqrt(max(spacing_mm**2 - 1, 0.0))  # a box of the voxel's size, less the 1 mm that is there
    grey, white = (ndimage.gaussian_filter(m, sd) for m in (maps.grey, maps.white))
    return Maps(maps.brain, grey, white, maps.depth, maps.near_ventricles)


def _near_ventricles(csf: Array) -> Array:
    x, y, z = (np.arange(n, dtype=np.float32) - m for n, m in zip(csf.shape, _MIDDLE, strict=True))
    inside = (along_axis(x / 35, 0) ** 2 + along_axis((y + 3) / 55, 1) ** 2 + along_axis((z - 8) / 28, 2) ** 2) < 1
    return np.asarray(ndimage.gaussian_filter(csf * inside, 4), dtype=np.float32)


@functools.cache
def tumour_sites() -> Array:
    """Points [N, 3] in mm where a glioma may start: cerebral white matter, away from the surface and the midline."""
    maps = mni_maps()
    sites = np.argwhere((maps.white > 0.6) & (maps.depth > _SITE_DEPTH_MM))[::7]
    points = (sites - _MIDDLE).astype(np.float32)
    return points[(points[:, 2] > -12) & (np.abs(points[:, 0]) > 12)]


@dataclass(frozen=True)
class MassEffect:
    """Tissue around ``centre_mm`` is pushed outwards: by ``push`` of its distance, fading over ``reach_mm``."""

    centre_mm: Array
    push: float
    reach_mm: float

    def undone(self, axes: Axes) -> list[Array]:
        """Where the points of a grid were before the push, x, y and z, each [X, Y, Z]."""
        offsets = [along_axis(a - c, k) for k, (a, c) in enumerate(zip(axes, self.centre_mm, strict=True))]
        squared = offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2
        pull = np.float32(self.push) * np.exp(-squared / np.float32(self.reach_mm**2))
        return [along_axis(a, k) - pull * o for k, (a, o) in enumerate(zip(axes, offsets, strict=True))]


class Head:
    """The chances of one patient's anatomy: where each point of the scanner comes from in the atlas.

    Affine within 4 degrees and 7 %, displacement of 2.6 and 0.8 mm sd with correlation lengths of 40 and 18 mm, mass
    effect around a tumour's site.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.affine = (_rotation(np.deg2rad(rng.uniform(-4, 4, 3))) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        self.bends = [[(sd, SmoothField(rng, step)) for step, sd in ((40.0, 2.6), (18.0, 0.8))] for _ in range(3)]
        site = tumour_sites()[rng.integers(len(tumour_sites()))]
        centre = np.linalg.solve(self.affine, site + rng.uniform(-1, 1, 3)).astype(np.float32)
        self.mass = MassEffect(centre, float(rng.uniform(0.12, 0.38)), float(rng.uniform(24, 40)))
        self.sulci = Sulci(rng)

    def atlas_points(self, axes: Axes) -> Array:
        """For each point of a grid the point of the atlas that lies there, [3, X, Y, Z] in mm."""
        before = self.mass.undone(axes)
        points = np.empty((3, *(len(a) for a in axes)), dtype=np.float32)
        for i, bends in enumerate(self.bends):
            points[i] = sum(self.affine[i, j] * before[j] for j in range(3))
            for sd, field in bends:
                points[i] += np.float32(sd) * field.on(axes)
        return points


class Brain:
    """The tissue of one head on a grid: ``mask`` [X, Y, Z] and, for the N voxels in it, fractions that sum to 1."""

    def __init__(self, head: Head, grid: Grid) -> None:
        maps, points = maps_seen_at(grid.spacing_mm), head.atlas_points(grid.axes)
        self.mask = maps.at("brain", points.reshape(3, -1)).reshape(grid.shape) > 0.5
        inside = points[:, self.mask]
        self.white, self.near_ventricles, depth = (maps.at(n, inside) for n in ("white", "near_ventricles", "depth"))
        self.csf = np.clip(1 - maps.at("grey", inside) - self.white, 0, 1)
        cleft, lined = fold(head.sulci.distance(grid.axes)[self.mask], depth, grid.spacing_mm)
        self.csf = np.maximum(self.csf, cleft)
        self.white = np.clip(self.white * (1 - lined), 0, 1 - self.csf)
        self.grey = np.clip(1 - self.csf - self.white, 0, 1)

    def on_grid(self, values_N: NDArray[Number]) -> NDArray[Number]:
        """Values of the brain's voxels on the whole grid, 0 outside."""
        whole = np.zeros(self.mask.shape, dtype=values_N.dtype)
        whole[self.mask] = values_N
        return whole

    def from_box(self, box: tuple[slice, slice, slice], values: NDArray[Number]) -> NDArray[Number]:
        """Values of a box of the grid at the brain's voxels, 0 elsewhere."""
        whole = np.zeros(self.mask.shape, dtype=values.dtype)
        whole[box] = values
        return whole[self.mask]


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (k for k in range(3) if k != axis)
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
