"""Resampling onto another grid with MONAI, whose import takes seconds: loaded by name, only where it is asked for."""

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import SpatialResample
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.data.respace import largest_share


def resample(array: NDArray[Any], affine: NDArray[np.float64], *, onto: Grid, labels: bool) -> NDArray[Any]:
    """(X, Y, Z) or (C, X, Y, Z) on the grid of ``affine`` -> the same on ``onto``, of the same data type.

    Trilinear; of ``labels`` each voxel gets the one with the largest share of the trilinear weights, because the
    nearest voxel is ambiguous, and so half a voxel off, wherever a spacing is doubled. Zero where the source has no
    voxel. Nothing is smoothed before a coarser grid.
    """
    source = torch.from_numpy(affine)
    move = SpatialResample(mode="bilinear", padding_mode="zeros", align_corners=False)

    def moved(channels: NDArray[Any]) -> NDArray[Any]:
        image = MetaTensor(torch.from_numpy(np.ascontiguousarray(channels, np.float32)), affine=source)
        return np.asarray(move(image, dst_affine=onto.affine, spatial_size=onto.shape).as_tensor().numpy())

    channels = array if array.ndim == 4 else array[None]
    out = largest_share(channels, moved) if labels else moved(channels).astype(array.dtype)
    return out if array.ndim == 4 else np.asarray(out[0])
