"""The faults of an acquisition: thick slices, a small misregistration, a bias field, Rician noise and a gain."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mrfusion.phantom.fields import Array, Grid, SmoothField

BIAS_SD = 0.11
BIAS_MM = 90.0
NOISE = (0.02, 0.045)  # sd of each part of the complex signal, relative to white matter
GAIN = (250.0, 700.0)  # raw intensity of white matter
_PER_AXIS = np.sqrt(3)  # a bound on a vector's length, as a bound on each of its parts


@dataclass(frozen=True)
class Scanner:
    """One acquisition; ``slice_mm`` is the thickness of axial slices, 0 for a volume that needs no blur."""

    bias: SmoothField
    slice_mm: float
    shift_mm: Array
    turn_deg: Array
    noise: float
    gain: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, name: str) -> "Scanner":
        """Slices of 1-4 mm for t2w and t2f; up to 0.8 mm and 0.7 degrees off the labels for all but t1n."""
        moved = 0.0 if name == "t1n" else 1.0
        return cls(
            bias=SmoothField(rng, BIAS_MM),
            slice_mm=float(rng.uniform(1, 4)) * (name in ("t2w", "t2f")),
            shift_mm=(moved * rng.uniform(-0.8, 0.8, 3) / _PER_AXIS).astype(np.float32),
            turn_deg=(moved * rng.uniform(-0.7, 0.7, 3) / _PER_AXIS).astype(np.float32),
            noise=float(rng.uniform(*NOISE)),
            gain=float(rng.uniform(*GAIN)),
        )

    def acquire(self, rng: np.random.Generator, signal: Array, grid: Grid) -> Array:
        """The picture [X, Y, Z] of a signal that is 1 in white matter."""
        if self.slice_mm:
            sd = self.slice_mm / np.sqrt(12) / grid.spacing_mm
            signal = ndimage.gaussian_filter1d(signal, sd, axis=2, mode="nearest")
        if self.shift_mm.any():
            signal = self._moved(signal, grid)
        signal = signal * np.exp(np.float32(BIAS_SD) * self.bias.on(grid.axes))
        return np.float32(self.gain) * rician(rng, signal, self.noise)

    def _moved(self, signal: Array, grid: Grid) -> Array:
        x, y, z = np.deg2rad(self.turn_deg)
        matrix = np.eye(3) + np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        middle = (np.array(signal.shape) - 1) / 2
        offset = middle - matrix @ middle + self.shift_mm / grid.spacing_mm
        return np.asarray(ndimage.affine_transform(signal, matrix, offset, order=1, mode="nearest"), dtype=np.float32)


def rician(rng: np.random.Generator, signal: Array, sd: float) -> Array:
    """The magnitude of a complex signal with Gaussian noise in both parts.

    Gudbjartsson and Patz, The Rician distribution of noisy MRI data, MRM 34 (1995) 910, eq. 1.
    """
    real = signal + np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)
