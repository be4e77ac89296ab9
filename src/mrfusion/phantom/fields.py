"""The phantom's grid in mm, and smooth random fields that are the same at every spacing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Axes = tuple[Array, Array, Array]

FIELD_OF_VIEW_MM = (192.0, 224.0, 160.0)
_MARGIN = 3  # control points beyond the field of view, so that a cubic spline is whole at the border


@dataclass(frozen=True)
class Grid:
    """Voxels of one size that fill the field of view, RAS+; the origin of the millimetres is its centre."""

    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z: 96 x 112 x 80 at 2 mm."""
        x, y, z = (round(side / self.spacing_mm) for side in FIELD_OF_VIEW_MM)
        return x, y, z

    @property
    def axes(self) -> Axes:
        """The voxel centres along each axis in mm."""
        x, y, z = ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * np.float32(self.spacing_mm) for n in self.shape)
        return x, y, z

    def box(self, centre_mm: Array, half_mm: float) -> tuple[slice, slice, slice]:
        """The voxels within ``half_mm`` of a point along every axis."""
        x, y, z = (
            slice(*np.searchsorted(axis, [c - half_mm, c + half_mm]).tolist())
            for axis, c in zip(self.axes, centre_mm, strict=True)
        )
        return x, y, z


class SmoothField:
    """A random field of mean 0 and variance 1: white noise as coefficients of cubic B-splines ``step_mm`` apart.

    Its correlation falls to about a half within ``step_mm``. The coefficients lie in mm, so the field does not depend
    on the grid that asks for it; on a grid it costs three small matrix products.
    """

    def __init__(self, rng: np.random.Generator, step_mm: float) -> None:
        self.step_mm = step_mm
        sides = [int(np.ceil(side / step_mm)) + 2 * _MARGIN for side in FIELD_OF_VIEW_MM]
        self.coefficients = rng.standard_normal(sides, dtype=np.float32)

    def on(self, axes: Axes) -> Array:
        """The field at the points of a grid, [X, Y, Z]; beyond the field of view it goes on as at the border."""
        bases = [
            _unit_rows(cubic_basis(np.clip(axis, -side / 2, side / 2), self.step_mm, -(n - 1) / 2 * self.step_mm, n))
            for axis, n, side in zip(axes, self.coefficients.shape, FIELD_OF_VIEW_MM, strict=True)
        ]
        return spread(self.coefficients, bases)

    def slope(self, axes: Axes) -> Array:
        """The length of the field's gradient per mm at the points of a grid, [X, Y, Z]."""
        shape = self.coefficients.shape
        origins = [-(n - 1) / 2 * self.step_mm for n in shape]
        plain = [cubic_basis(a, self.step_mm, o, n) for a, o, n in zip(axes, origins, shape, strict=True)]
        norms = [np.sqrt((b**2).sum(1).mean()) for b in plain]
        total = np.zeros([len(a) for a in axes], dtype=np.float32)
        for k in range(3):
            half = np.float32(self.step_mm / 8)
            ahead = cubic_basis(axes[k] + half, self.step_mm, origins[k], shape[k])
            behind = cubic_basis(axes[k] - half, self.step_mm, origins[k], shape[k])
            bases = [b / n for b, n in zip(plain, norms, strict=True)]
            bases[k] = (ahead - behind) / (2 * half) / norms[k]
            total += spread(self.coefficients, bases) ** 2
        return np.sqrt(total)


def cubic_basis(points_mm: Array, step_mm: float, origin_mm: float, count: int) -> Array:
    """Values of ``count`` cubic B-splines, the first centred at ``origin_mm``, at the points: [points, count]."""
    u = np.abs((points_mm[:, None] - np.float32(origin_mm)) / np.float32(step_mm) - np.arange(count, dtype=np.float32))
    inner = 2 / 3 - u**2 + u**3 / 2
    outer = np.clip(2 - u, 0, None) ** 3 / 6
    return np.where(u < 1, inner, outer).astype(np.float32)


def spread(coefficients: Array, bases: list[Array]) -> Array:
    """The tensor product of three bases [X, a], [Y, b], [Z, c] with coefficients [a, b, c]: [X, Y, Z]."""
    x, y, z = bases
    along_z = coefficients @ z.T
    along_y = np.matmul(y, along_z)
    return (x @ along_y.reshape(len(along_y), -1)).reshape(len(x), len(y), len(z))


def soft_step(values: Array, width: float) -> Array:
    """A smooth step from 0 to 1 through a half at 0; 0.73 at ``width``."""
    return np.asarray(1 / (1 + np.exp(np.clip(-values / np.float32(width), -30, 30))), dtype=np.float32)


def _unit_rows(basis: Array) -> Array:
    return np.asarray(basis / np.sqrt((basis**2).sum(1, keepdims=True)), dtype=np.float32)
