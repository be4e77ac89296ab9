"""MONAI as an independent reference for the voxel definitions."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mrfusion.families import load
from mrfusion.metrics._pair import MaskPair


@pytest.mark.filterwarnings("ignore")
def test_voxel_distances_and_dice_equal_monai():
    metrics = pytest.importorskip("monai.metrics")
    for seed, spacing_mm in ((0, (1.0, 1.0, 1.0)), (1, (0.8, 1.0, 3.0))):
        rng = np.random.default_rng(seed)
        pred, target = (ndimage.gaussian_filter(rng.random((20, 21, 22)), 2) > 0.5 for _ in range(2))
        tensors = [torch.as_tensor(mask)[None, None].float() for mask in (pred, target)]
        pair = MaskPair(pred, target, spacing_mm)
        theirs = {
            "dice": metrics.compute_dice(*tensors),
            "hd95(variant=voxel)": metrics.compute_hausdorff_distance(*tensors, percentile=95, spacing=spacing_mm),
            "hd(variant=voxel)": metrics.compute_hausdorff_distance(*tensors, spacing=spacing_mm),
            "assd(variant=voxel)": metrics.compute_average_surface_distance(
                *tensors, symmetric=True, spacing=spacing_mm
            ),
        }
        for name, value in theirs.items():
            assert load("metrics", name)(pair).value == pytest.approx(float(value), rel=1e-5), name
