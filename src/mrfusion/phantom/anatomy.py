"""One patient's brain: the MNI152 tissue maps, sharpened, moved by a random affine and smooth deformation.

The maps (grey and white matter, brain mask at 1 mm) lie in nilearn's wheel; nothing is downloaded. They are averages of
152 people; raised to the power 2.2 and renormalised they have the sharpness of one. Source: Fonov et al., NeuroImage
54 (2011) 313, the ICBM 2009 atlases.
"""

import functools
from dataclasses import dataclass

import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template
from numpy.typing import NDArray
from scipy import ndimage

from mrfusion.phantom.fields import Array, Axes, SmoothField

SHARPNESS = 2.2
_BOX = (slice(20, 177), slice(20, 214), slice(0, 162))  # the brain in the 1 mm maps, with a margin
_CENTRE = np.array([98.0, 117.0, 77.0], dtype=np.float32)  # the brain's middle in voxels of the maps
_PER_WHITE_POINT_MM = 14.0  # a tumour's centre lies at least this far inside the brain


@dataclass(frozen=True)
class Maps:
    """Brain, grey and white matter fractions and nearness to the ventricles, 1 mm, float32 [X, Y, Z]."""

    brain: Array
    grey: Array
    white: Array
    periventricular: Array
    origin: Array

    def at(self, name: str, points_3N: Array) -> Array:
        """A map at points in mm from the brain's middle, linear between voxels, 0 outside."""
        places = points_3N + (_CENTRE - self.origin)[:, None]
        return np.asarray(ndimage.map_coordinates(getattr(self, name), places, order=1), dtype=np.float32)


@functools.cache
def mni_maps(spacing_mm: float) -> Maps:
    """The maps, blurred to what a voxel of ``spacing_mm`` sees; loaded once per spacing (0.8 s, 80 MB)."""
    grey, white = (
        np.asarray(load(resolution=1).dataobj)[_BOX] for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    brain = np.asarray(load_mni152_brain_mask(resolution=1).dataobj)[_BOX].astype(np.float32)
    fractions = np.stack([grey, white, np.clip(brain - grey - white, 0, None)]) ** SHARPNESS
    fractions /= np.maximum(fractions.sum(0), 1e-6)
    sd = 0.42 * np.sqrt(max(spacing_mm**2 - 1, 0.0))  # a box of the voxel's size, less the 1 mm that is there
    grey, white, csf = (ndimage.gaussian_filter(f, sd).astype(np.float32) for f in fractions)
    origin = np.array([s.start for s in _BOX], dtype=np.float32)
    return Maps(brain, grey, white, _near_ventricles(csf, origin), origin)


def _near_ventricles(csf: Array, origin: Array) -> Array:
    x, y, z = np.ogrid[tuple(slice(0, n) for n in csf.shape)]
    cx, cy, cz = _CENTRE - origin
    inside = ((x - cx) / 35) ** 2 + ((y - cy + 3) / 55) ** 2 + ((z - cz - 8) / 28) ** 2 < 1
    return np.asarray(ndimage.gaussian_filter((csf * inside).astype(np.float32), 4), dtype=np.float32)


@functools.cache
def tumour_sites() -> Array:
    """Points [N, 3] in mm where a glioma may start: cerebral white matter, away from the surface and the midline."""
    maps = mni_maps(1.0)
    depth = ndimage.distance_transform_edt(maps.brain[::2, ::2, ::2]) * 2
    sites = np.argwhere((maps.white[::2, ::2, ::2] > 0.6) & (depth > _PER_WHITE_POINT_MM)) * 2.0
    points = (sites + maps.origin - _CENTRE).astype(np.float32)
    return points[(points[:, 2] > -12) & (np.abs(points[:, 0]) > 12)]


@dataclass(frozen=True)
class MassEffect:
    """Tissue around ``centre_mm`` is pushed outwards: by ``push`` of its distance, fading over ``reach_mm``."""

    centre_mm: Array
    push: float
    reach_mm: float


class Head:
    """One patient's anatomy: where each point of the scanner comes from in the atlas."""

    def __init__(self, rng: np.random.Generator) -> None:
        angles = np.deg2rad(rng.uniform(-4, 4, 3))
        self.affine = (_rotation(angles) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        self.bends = [[(sd, SmoothField(rng, step)) for step, sd in ((40.0, 2.6), (18.0, 0.8))] for _ in range(3)]
        site = tumour_sites()[rng.integers(len(tumour_sites()))]
        centre = np.linalg.solve(self.affine, site + rng.uniform(-1, 1, 3)).astype(np.float32)
        self.mass = MassEffect(centre, float(rng.uniform(0.12, 0.38)), float(rng.uniform(24, 40)))

    def atlas_points(self, axes: Axes) -> Array:
        """For each point of a grid the point of the atlas that lies there, [3, X, Y, Z] in mm."""
        offsets = [a - c for a, c in zip(axes, self.mass.centre_mm, strict=True)]
        squared = sum((o**2).reshape(_along(k)) for k, o in enumerate(offsets))
        pull = self.mass.push * np.exp(-squared / np.float32(self.mass.reach_mm) ** 2)
        points = [
            a.reshape(_along(k)) - pull * o.reshape(_along(k))
            for k, (a, o) in enumerate(zip(axes, offsets, strict=True))
        ]
        moved = [sum(self.affine[i, j] * points[j] for j in range(3)) for i in range(3)]
        for i, bends in enumerate(self.bends):
            for sd, field in bends:
                moved[i] += np.float32(sd) * field.on(axes)
        return np.stack(moved).astype(np.float32)


def _along(axis: int) -> tuple[int, int, int]:
    shape = [1, 1, 1]
    shape[axis] = -1
    return shape[0], shape[1], shape[2]


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (k for k in range(3) if k != axis)
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
