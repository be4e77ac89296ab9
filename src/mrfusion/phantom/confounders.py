"""What makes single modalities insufficient: vessels, white-matter hyperintensities, blood, and the scanner's faults."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mrfusion.phantom.fields import Array, Axes, Grid, SmoothField, soft_step


@dataclass(frozen=True)
class Vessels:
    """Winding tubes where two random surfaces cross; ``weight`` [X, Y, Z] of them in grey matter and sulci."""

    first: SmoothField
    second: SmoothField
    radius_mm: float
    gadolinium_mm: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Vessels":
        """Vessels of one patient: radius 0.7-1.1 mm, contrast agent 0.5-1 mM."""
        fields = SmoothField(rng, 17.0), SmoothField(rng, 13.0)
        return cls(*fields, float(rng.uniform(0.7, 1.1)), float(rng.uniform(0.5, 1.0)))

    def weight(self, axes: Axes) -> Array:
        """How much of each voxel the tubes fill."""
        distances = [f.on(axes) / np.maximum(f.slope(axes), 0.4 / f.step_mm) for f in (self.first, self.second)]
        return soft_step(np.float32(self.radius_mm) - np.hypot(*distances), 0.35)


def hyperintensities(rng: np.random.Generator, axes: Axes, white: Array, near_ventricles: Array) -> Array:
    """White-matter hyperintensities [X, Y, Z], 0-1: caps at the ventricles and spots, from none to many."""
    load = rng.uniform(-0.2, 1)
    caps = near_ventricles * 9 + 0.5 * SmoothField(rng, 8.0).on(axes) - (2.6 - load)
    spots = SmoothField(rng, 5.0).on(axes) + 0.6 * SmoothField(rng, 25.0).on(axes) - (3.5 - load)
    return soft_step(np.maximum(caps, spots), 0.12) * white


def blood(rng: np.random.Generator, axes: Axes, depth: Array) -> Array:
    """T1-bright blood products in and around a tumour's core [x, y, z], 0-1; in two of three cases, whatever the class."""
    level = 1.5 if rng.random() < 0.67 else 99.0
    field = SmoothField(rng, 6.0).on(axes) + 0.8 * SmoothField(rng, 15.0).on(axes)
    return soft_step(field - level, 0.15) * soft_step(3 - np.abs(depth + 1), 1.0)


@dataclass(frozen=True)
class Scanner:
    """The faults of one acquisition: bias field, thick slices, a small shift and turn, noise and gain."""

    bias: SmoothField
    slice_mm: float
    slice_axis: int
    shift_mm: Array
    turn_deg: Array
    noise: float
    gain: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, name: str) -> "Scanner":
        """Thick slices (1-4 mm) only on t2w and t2f; t1n is the reference and is not moved."""
        moved = 0.0 if name == "t1n" else 1.0
        return cls(
            bias=SmoothField(rng, 90.0),
            slice_mm=float(rng.uniform(1, 4)) if name in ("t2w", "t2f") else 0.0,
            slice_axis=2,
            shift_mm=(moved * rng.uniform(-0.8, 0.8, 3) / np.sqrt(3)).astype(np.float32),
            turn_deg=(moved * rng.uniform(-0.7, 0.7, 3) / np.sqrt(3)).astype(np.float32),
            noise=float(rng.uniform(0.02, 0.045)),
            gain=float(rng.uniform(250, 700)),
        )

    def acquire(self, rng: np.random.Generator, signal: Array, grid: Grid) -> Array:
        """The picture [X, Y, Z] of a signal that is 1 in white matter."""
        if self.slice_mm:
            sd = self.slice_mm / np.sqrt(12) / grid.spacing_mm
            signal = ndimage.gaussian_filter1d(signal, sd, axis=self.slice_axis, mode="nearest")
        if self.shift_mm.any():
            signal = self._moved(signal, grid)
        signal = signal * np.exp(np.float32(0.11) * self.bias.on(grid.axes))
        return self.gain * rician(rng, signal, self.noise)

    def _moved(self, signal: Array, grid: Grid) -> Array:
        turn = np.deg2rad(self.turn_deg)
        matrix = np.eye(3) + np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
        middle = (np.array(signal.shape) - 1) / 2
        offset = middle - matrix @ middle + self.shift_mm / grid.spacing_mm
        return np.asarray(ndimage.affine_transform(signal, matrix, offset, order=1, mode="nearest"), dtype=np.float32)


def rician(rng: np.random.Generator, signal: Array, sd: float) -> Array:
    """The magnitude of a complex signal with Gaussian noise in both parts (Gudbjartsson and Patz, MRM 34 (1995) 910)."""
    real = signal + np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, imaginary)
