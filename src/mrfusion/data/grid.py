"""Where voxels lie in the world: a shape and an affine, compared by the corners of what they span."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.orientations import inv_ornt_aff, io_orientation
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

    def turned(self, onto: "Grid") -> tuple[NDArray[np.float64], "Grid"]:
        """The change of axes, as nibabel writes it, that brings their order and directions nearest to those of another
        grid, and this grid after it.

        Two files of the same voxels, each turned to RAS+ by itself, may need it: at 45 degrees that is a toss.
        """
        change = np.asarray(io_orientation(np.linalg.inv(onto.affine) @ self.affine))
        x, y, z = (self.shape[axis] for axis in np.argsort(change[:, 0]))
        return change, Grid((x, y, z), self.affine @ inv_ornt_aff(change, self.shape))

    def covers(self, other: "Grid") -> bool:
        """Whether the other one has the same voxels, in whatever order and direction of axes."""
        if self.same(other):
            return True
        return sorted(self.shape) == sorted(other.shape) and self.same(other.turned(self)[1])


def _corners(grid: Grid) -> NDArray[Any]:
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1)
    return np.asarray(grid.affine[:3, :3] @ ends + grid.affine[:3, 3:], np.float64)
