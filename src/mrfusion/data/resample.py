"""Resampling onto another grid with MONAI, whose import takes seconds: loaded by name, only where it is asked for."""

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import SpatialResample
from numpy.typing import NDArray

from mrfusion.data.volume import Grid


def resample(array: NDArray[Any], affine: NDArray[np.float64], *, onto: Grid, nearest: bool) -> NDArray[Any]:
    """(X, Y, Z) or (C, X, Y, Z) on the grid of ``affine`` -> the same on ``onto``, of the same data type.

    Trilinear, or the nearest voxel; zero where the source has no voxel. Nothing is smoothed before a coarser grid.
    """
    channels = torch.from_numpy(np.ascontiguousarray(array if array.ndim == 4 else array[None], np.float32))
    move = SpatialResample(mode="nearest" if nearest else "bilinear", padding_mode="zeros", align_corners=False)
    moved = move(MetaTensor(channels, affine=torch.from_numpy(affine)), dst_affine=onto.affine, spatial_size=onto.shape)
    out = moved.as_tensor().numpy().astype(array.dtype)
    return out if array.ndim == 4 else np.asarray(out[0])
