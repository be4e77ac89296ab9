"""The phantom's grid in mm, and smooth random fields that are the same at every spacing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Axes = tuple[Array, Array, Array]
Box = tuple[slice, slice, slice]

FIELD_OF_VIEW_MM = (192.0, 224.0, 160.0)
_MARGIN = 3  # control points beyond the field of view, so that a cubic spline is whole at the border


@dataclass(frozen=True)
class Grid:
    """Voxels of one size that fill the field of view, RAS+; the origin of the millimetres is its centre."""

    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z: 96 x 112 x 80 at 2 mm, 192 x 224 x 160 at 1 mm."""
        x, y, z = (round(side / self.spacing_mm) for side in FIELD_OF_VIEW_MM)
        return x, y, z

    @cached_property
    def axes(self) -> Axes:
        """The voxel centres along each axis in mm."""
        x, y, z = ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * np.float32(self.spacing_mm) for n in self.shape)
        return x, y, z

    def box(self, centre_mm: Array, half_mm: float) -> Box:
        """The voxels within ``half_mm`` of a point along every axis."""
        x, y, z = (
            slice(*np.searchsorted(axis, [c - half_mm, c + half_mm]).tolist())
            for axis, c in zip(self.axes, centre_mm, strict=True)
        )
        return x, y, z

    def axes_of(self, box: Box) -> Axes:
        """The voxel centres of a box along each axis in mm."""
        x, y, z = (axis[part] for axis, part in zip(self.axes, box, strict=True))
        return x, y, z


class SmoothField:
    """A random field of mean 0 and variance 1: white noise as coefficients of cubic B-splines ``step_mm`` apart.

    Its correlation falls to about a half within ``step_mm``. The coefficients lie in mm, so the field does not depend
    on the grid that asks for it; on a grid it costs three small matrix products. Beyond the field of view it goes on
    as at the border.
    """

    def __init__(self, rng: np.random.Generator, step_mm: float) -> None:
        self.step_mm = step_mm
        sides = [int(np.ceil(side / step_mm)) + 2 * _MARGIN for side in FIELD_OF_VIEW_MM]
        self.coefficients = rng.standard_normal(sides, dtype=np.float32)

    def on(self, axes: Axes) -> Array:
        """The field at the points of a grid, [X, Y, Z]."""
        return spread(self.coefficients, self._bases(axes))

    def distance_to_zero(self, axes: Axes) -> Array:
        """Roughly how far in mm the points of a grid are from where the field is 0, a random winding surface."""
        flattest = np.float32(0.4 / self.step_mm)  # keeps a surface from swelling where the field is flat
        return np.asarray(np.abs(self.on(axes)) / np.maximum(self._slope(axes), flattest), dtype=np.float32)

    def _slope(self, axes: Axes) -> Array:
        """The length of the field's gradient per mm, by differences over a quarter of a step."""
        bases, half = self._bases(axes), np.float32(self.step_mm / 8)
        ahead = self._bases((axes[0] + half, axes[1] + half, axes[2] + half))
        behind = self._bases((axes[0] - half, axes[1] - half, axes[2] - half))
        total = np.zeros([len(axis) for axis in axes], dtype=np.float32)
        for k in range(3):
            along = [(ahead[j] - behind[j]) / (2 * half) if j == k else bases[j] for j in range(3)]
            total += spread(self.coefficients, along) ** 2
        return np.sqrt(total)

    def _bases(self, axes: Axes) -> list[Array]:
        """For each axis the splines at its points, scaled so that the field has variance 1 everywhere."""
        bases = []
        for axis, count, side in zip(axes, self.coefficients.shape, FIELD_OF_VIEW_MM, strict=True):
            inside = np.clip(axis, -side / 2 - self.step_mm, side / 2 + self.step_mm)
            basis = cubic_basis(inside, self.step_mm, -(count - 1) / 2 * self.step_mm, count)
            bases.append(np.asarray(basis / np.sqrt((basis**2).sum(1, keepdims=True)), dtype=np.float32))
        return bases


def cubic_basis(points_mm: Array, step_mm: float, origin_mm: float, count: int) -> Array:
    """Values of ``count`` cubic B-splines, the first centred at ``origin_mm``, at the points: [points, count].

    Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Process. Mag. 16(6) (1999) 22, eq. 8.
    """
    u = np.abs((points_mm[:, None] - np.float32(origin_mm)) / np.float32(step_mm) - np.arange(count, dtype=np.float32))
    inner = 2 / 3 - u**2 + u**3 / 2
    outer = np.clip(2 - u, 0, None) ** 3 / 6
    return np.where(u < 1, inner, outer).astype(np.float32)


def spread(coefficients: Array, bases: list[Array]) -> Array:
    """The tensor product of three bases [X, a], [Y, b], [Z, c] with coefficients [a, b, c]: [X, Y, Z].

    Summed in double precision: what the number of BLAS threads changes in a sum is then lost in rounding to float32,
    so the same seed gives the same bytes.
    """
    x, y, z = (basis.astype(np.float64) for basis in bases)
    along_y = np.matmul(y, coefficients.astype(np.float64) @ z.T)
    flat = x @ along_y.reshape(len(along_y), -1)
    return np.asarray(flat.reshape(len(x), len(y), len(z)), dtype=np.float32)


def soft_step(values: Array, width: float) -> Array:
    """A smooth step from 0 to 1 through a half at 0; 0.73 at ``width``."""
    return np.asarray(1 / (1 + np.exp(np.clip(-values / np.float32(width), -30, 30))), dtype=np.float32)


def along_axis(values: Array, axis: int) -> Array:
    """A vector as an array [X, 1, 1], [1, Y, 1] or [1, 1, Z], ready to broadcast."""
    shape = [1, 1, 1]
    shape[axis] = -1
    return values.reshape(shape)
