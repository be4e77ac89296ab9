"""Where voxels lie in the world: a shape and an affine, compared by the corners of what they span."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE_VOXELS = 0.1


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels lie: a shape (X, Y, Z) and the 4x4 matrix from voxel to world in mm, RAS+."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    def offset_mm(self, other: "Grid") -> float:
        """The largest distance in mm between corresponding corners; infinite if the shapes differ."""
        if self.shape != other.shape:
            return float("inf")
        return float(np.linalg.norm(_corners(self) - _corners(other), axis=0).max())

    def same(self, other: "Grid") -> bool:
        """The same shape and no corner further apart than a tenth of the smallest voxel edge."""
        return self.offset_mm(other) <= TOLERANCE_VOXELS * min(self.spacing_mm)


def _corners(grid: Grid) -> NDArray[Any]:
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1)
    return np.asarray(grid.affine[:3, :3] @ ends + grid.affine[:3, 3:], np.float64)
