"""A glioma: an irregular core with a rim of varying thickness, and oedema that creeps along the white matter.

The core is an ellipsoid with satellite lobes in warped space; the whole tumour is what a front starting at the core
reaches, fast in white matter (1), slowly in grey (0.28), hardly through CSF (0.03). That growth is anisotropic in the
way of the reaction-diffusion models: Swanson et al., Cell Prolif. 33 (2000) 317.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from mrfusion.phantom.anatomy import Head, maps_seen_at
from mrfusion.phantom.fields import Array, Axes, SmoothField, along_axis, cubic_basis, soft_step, spread

NCR, ED, ET = 1, 2, 3
SPEEDS = {"white": 1.0, "grey": 0.28, "csf": 0.03}
COARSE_MM = 4.0
_REACH_MM = 56.0
_CORE_EDGE_MM, _RIM_EDGE_MM, _OEDEMA_EDGE_MM = 0.8, 0.9, 1.6  # how soft the borders are


@dataclass(frozen=True)
class Lobe:
    """An ellipsoid in mm around an offset from the tumour's centre; its axes are the rows of ``axes_33``."""

    offset: Array
    radii: Array
    axes_33: Array

    def depth(self, points_3: list[Array]) -> Array:
        """Roughly the distance in mm to the surface, negative inside."""
        shifted = [p - o for p, o in zip(points_3, self.offset, strict=True)]
        squared = sum(
            (sum(a * s for a, s in zip(row, shifted, strict=True)) / r) ** 2
            for row, r in zip(self.axes_33, self.radii, strict=True)
        )
        return np.asarray((np.sqrt(squared) - 1) * self.radii.mean(), dtype=np.float32)


class Tumour:
    """The chances of one patient's tumour, drawn before any grid is known."""

    def __init__(self, rng: np.random.Generator, centre_mm: Array) -> None:
        self.centre_mm = centre_mm
        radius = float(rng.uniform(9, 17))
        self.lobes = [Lobe(np.zeros(3, np.float32), _radii(rng, radius, 0.3), _frame(rng))]
        for _ in range(int(rng.choice(3, p=[0.35, 0.45, 0.2]))):
            offset = (_frame(rng)[0] * radius * rng.uniform(0.7, 1.2)).astype(np.float32)
            self.lobes.append(Lobe(offset, _radii(rng, radius * rng.uniform(0.4, 0.7), 0.3), _frame(rng)))
        self.warps = [[(sd, SmoothField(rng, step)) for step, sd in ((16.0, 3.5), (7.0, 1.0))] for _ in range(3)]
        self.roughness = [(sd, SmoothField(rng, step)) for step, sd in ((15.0, 1.6), (6.0, 0.8))]
        self.spread_mm = float(rng.uniform(7, 16))
        self.spread_noise = [(sd, SmoothField(rng, step)) for step, sd in ((14.0, 2.0), (6.0, 0.9))]
        self.rim_mm = float(rng.uniform(1.2, 3.2))
        self.rim_noise = SmoothField(rng, 9.0)
        self.uptake_mm = float(rng.uniform(0.25, 0.6))
        self.uptake_noise = SmoothField(rng, 6.0)

    def core_depth(self, axes: Axes) -> Array:
        """Signed distance in mm to the core's surface, roughly; negative inside."""
        points = [
            along_axis(axis - centre, k) + _noise(self.warps[k], axes)
            for k, (axis, centre) in enumerate(zip(axes, self.centre_mm, strict=True))
        ]
        depths = [lobe.depth(points) for lobe in self.lobes]
        merged = -2 * np.log(sum(np.exp(np.clip(-d / 2, -30, 30)) for d in depths))
        return np.asarray(merged + _noise(self.roughness, axes), dtype=np.float32)

    def whole_depth(self, head: Head, axes: Axes) -> Array:
        """Signed distance in mm to the border of the whole tumour, in travel of its front; negative inside."""
        x, y, z = (np.arange(-_REACH_MM, _REACH_MM + 1, COARSE_MM, dtype=np.float32) + c for c in self.centre_mm)
        travel = _geodesic(_speed(head, (x, y, z)), self.core_depth((x, y, z)) < 0)
        bases = [cubic_basis(a, COARSE_MM, float(c[0]), len(c)) for a, c in zip(axes, (x, y, z), strict=True)]
        front = spread(np.minimum(travel, 60), bases) - np.float32(self.spread_mm)
        return np.asarray(front + _noise(self.spread_noise, axes), dtype=np.float32)

    def rim_thickness(self, axes: Axes) -> Array:
        """How thick the rim is in mm, 0.4 to 6."""
        thickness = self.rim_mm * np.exp(0.55 * self.rim_noise.on(axes))
        return np.asarray(np.clip(thickness, 0.4, 6.0), dtype=np.float32)

    def uptake(self, axes: Axes) -> Array:
        """Concentration of contrast agent in an enhancing rim, mM."""
        return np.asarray(self.uptake_mm * np.exp(0.3 * self.uptake_noise.on(axes)), dtype=np.float32)


@dataclass(frozen=True)
class Lesion:
    """A tumour on a box of the grid: labels and how much of each voxel its parts fill, all [x, y, z] of the box.

    ``labels`` holds 0, NCR, ED and ET. ``rim`` lies inside ``core``. ``gadolinium`` is in mM, 0 without enhancement.
    """

    labels: NDArray[np.uint8]
    oedema: Array
    core: Array
    rim: Array
    gadolinium: Array
    core_depth: Array

    @classmethod
    def grown(cls, tumour: Tumour, head: Head, axes: Axes, *, enhancing: bool) -> "Lesion":
        """The tumour at voxel centres; without enhancement the rim is there, but no contrast agent in it."""
        core, whole, thickness = tumour.core_depth(axes), tumour.whole_depth(head, axes), tumour.rim_thickness(axes)
        filled = soft_step(-core, _CORE_EDGE_MM)
        return cls(
            labels=label(core, whole, thickness, enhancing=enhancing),
            oedema=soft_step(-whole, _OEDEMA_EDGE_MM),
            core=filled,
            rim=filled * soft_step(core + thickness, _RIM_EDGE_MM),
            gadolinium=tumour.uptake(axes) * np.float32(enhancing),
            core_depth=core,
        )


def label(core: Array, whole: Array, thickness: Array, *, enhancing: bool) -> NDArray[np.uint8]:
    """Nested labels from depths: ET is the core's outer ``thickness`` mm (if it enhances), NCR its rest, ED around."""
    labels = np.where(whole < 0, ED, 0).astype(np.uint8)
    labels[core < 0] = NCR
    if enhancing:
        labels[(core < 0) & (core > -thickness)] = ET
    return labels


def _speed(head: Head, axes: Axes) -> Array:
    maps, points = maps_seen_at(COARSE_MM), head.atlas_points(axes)
    flat = points.reshape(3, -1)
    grey, white, brain = (maps.at(name, flat) for name in ("grey", "white", "brain"))
    csf = np.clip(1 - grey - white, 0, 1)
    speed = SPEEDS["white"] * white + SPEEDS["grey"] * grey + SPEEDS["csf"] * csf
    return np.where(brain > 0.5, speed, SPEEDS["csf"]).reshape(points.shape[1:]).astype(np.float32)


def _geodesic(speed: Array, inside: NDArray[Any]) -> Array:
    """Travel time of a front from ``inside`` over the 26 neighbours of a coarse grid (Dijkstra), mm at speed 1."""
    index = np.arange(speed.size).reshape(speed.shape)
    rows, columns, costs = [], [], []
    steps = [s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)]
    for step in steps:
        here = tuple(slice(max(0, 1 - s), n - max(0, s - 1)) for s, n in zip(step, speed.shape, strict=True))
        there = tuple(slice(max(0, s - 1), n - max(0, 1 - s)) for s, n in zip(step, speed.shape, strict=True))
        length = COARSE_MM * np.sqrt(sum((s - 1) ** 2 for s in step))
        rows.append(index[here].ravel())
        columns.append(index[there].ravel())
        costs.append((length * (0.5 / speed[here] + 0.5 / speed[there])).ravel())
    graph = coo_matrix(
        (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(speed.size,) * 2
    )
    time = dijkstra(graph.tocsr(), directed=False, indices=np.flatnonzero(inside.ravel()), min_only=True, limit=80.0)
    return np.asarray(np.where(np.isfinite(time), time, 80.0).reshape(speed.shape), dtype=np.float32)


def _noise(parts: list[tuple[float, SmoothField]], axes: Axes) -> Array:
    return np.asarray(sum(np.float32(sd) * field.on(axes) for sd, field in parts), dtype=np.float32)


def _radii(rng: np.random.Generator, mean: float, spread_of: float) -> Array:
    radii = np.exp(spread_of * rng.uniform(-1, 1, 3))
    return np.asarray(mean * radii / np.cbrt(radii.prod()), dtype=np.float32)


def _frame(rng: np.random.Generator) -> Array:
    frame, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return frame.astype(np.float32)
