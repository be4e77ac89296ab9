"""Healthy and old findings that mislead a single modality: vessels, white-matter hyperintensities, T1-bright blood."""

from dataclasses import dataclass

import numpy as np

from mrfusion.phantom.fields import Array, Axes, SmoothField, soft_step


@dataclass(frozen=True)
class Vessels:
    """Winding tubes where two random surfaces cross; bright in t1c as an enhancing rim is."""

    first: SmoothField
    second: SmoothField
    radius_mm: float
    gadolinium_mm: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Vessels":
        """Vessels of one patient: radius 0.7-1.2 mm, contrast agent 0.5-1 mM."""
        fields = SmoothField(rng, 22.0), SmoothField(rng, 13.0)
        return cls(*fields, float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.5, 1.0)))

    def weight(self, axes: Axes) -> Array:
        """How much of each voxel the tubes fill, [X, Y, Z]."""
        away = np.hypot(self.first.distance_to_zero(axes), self.second.distance_to_zero(axes))
        return soft_step(np.float32(self.radius_mm) - away, 0.35)


def hyperintensities(rng: np.random.Generator, axes: Axes, near_ventricles: Array) -> Array:
    """White-matter hyperintensities [X, Y, Z], 0-1: caps at the ventricles and spots, from none to many."""
    load = rng.uniform(-0.2, 1)
    caps = near_ventricles * 9 + 0.5 * SmoothField(rng, 8.0).on(axes) - (2.6 - load)
    spots = SmoothField(rng, 5.0).on(axes) + 0.6 * SmoothField(rng, 25.0).on(axes) - (3.5 - load)
    return soft_step(np.maximum(caps, spots), 0.12)


def blood(rng: np.random.Generator, axes: Axes, core_depth: Array) -> Array:
    """T1-bright blood in and around a tumour's core [x, y, z], 0-1: in two of three cases, whatever the class.

    ``core_depth`` is the signed distance in mm to the core's surface; blood lies within some 4 mm of the core.
    """
    level = np.float32(1.5 if rng.random() < 0.67 else 99.0)
    field = SmoothField(rng, 6.0).on(axes) + np.float32(0.8) * SmoothField(rng, 15.0).on(axes)
    return soft_step(field - level, 0.15) * soft_step(3 - core_depth, 1.0)
