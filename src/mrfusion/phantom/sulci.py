"""Sulci of one patient's own: clefts that go down from the surface where a random field is zero, lined by cortex."""

import numpy as np
from scipy import ndimage

from mrfusion.phantom.fields import (
    FIELD_OF_VIEW_MM,
    Array,
    Axes,
    SmoothField,
    along_axis,
    cubic_basis,
    soft_step,
    spread,
)

_DEPTH_MM = 17.0
_HALF_WIDTH_MM = 0.9
_CORTEX_MM = 2.4
_SEMI_AXES_MM = (
    66.0,
    86.0,
    70.0,
)  # an ellipsoid for the brain; the field is read where a ray from its middle leaves it
_UPRIGHT = 0.75  # how much of the way to that surface: 1 would make every cleft run straight at the middle
_COARSE_MM = 4.0


class Sulci:
    """The chances of one patient's folding."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.field = SmoothField(rng, 13.0)

    def distance(self, axes: Axes) -> Array:
        """Roughly how far in mm the points of a grid are from the middle of a cleft, [X, Y, Z].

        The field and its slope are smooth: read on a coarse grid and spread by splines.
        """
        x, y, z = (np.arange(-s / 2 - 8, s / 2 + 9, _COARSE_MM, dtype=np.float32) for s in FIELD_OF_VIEW_MM)
        values = self._upright((x, y, z))
        slope = np.sqrt(sum(part**2 for part in np.gradient(values, _COARSE_MM)))
        bases = [cubic_basis(a, _COARSE_MM, float(c[0]), len(c)) for a, c in zip(axes, (x, y, z), strict=True)]
        steepness = np.maximum(spread(slope.astype(np.float32), bases), np.float32(0.4 / self.field.step_mm))
        return np.asarray(np.abs(spread(values, bases)) / steepness, dtype=np.float32)

    def _upright(self, axes: Axes) -> Array:
        points = [along_axis(a, k) for k, a in enumerate(axes)]
        radius = np.sqrt(sum((p / np.float32(s)) ** 2 for p, s in zip(points, _SEMI_AXES_MM, strict=True)))
        stretch = 1 - _UPRIGHT + _UPRIGHT / np.maximum(radius, 0.3)
        shape = self.field.coefficients.shape
        places = [p * stretch / self.field.step_mm + (n - 1) / 2 for p, n in zip(points, shape, strict=True)]
        values = ndimage.map_coordinates(self.field.coefficients, places, order=3, prefilter=False, mode="nearest")
        return np.asarray(values / values.std(), dtype=np.float32)


def fold(distance_N: Array, depth_N: Array, spacing_mm: float) -> tuple[Array, Array]:
    """How much of each voxel is cleft and how much cleft or cortex, given its depth below the surface in mm."""
    edge = max(0.35, spacing_mm / 4)
    outer = soft_step(_DEPTH_MM - depth_N, 2.0)
    half_width = np.float32(_HALF_WIDTH_MM) * np.clip(1.3 - depth_N / _DEPTH_MM, 0.2, 1.2)
    cleft = outer * soft_step(half_width - distance_N, edge)
    return cleft, outer * soft_step(half_width + np.float32(_CORTEX_MM) - distance_N, edge)
