"""Moving images and labels together by an affine map of each sample, with MONAI's batched transform."""

import torch
from monai.networks.layers import AffineTransform
from torch import Tensor

from mrfusion.augmentations._base import placed

_LINEAR = AffineTransform(mode="bilinear", padding_mode="zeros", zero_centered=True, align_corners=True)
_NEAREST = AffineTransform(mode="nearest", padding_mode="zeros", zero_centered=True, align_corners=True)


def moved_some(images: Tensor, labels: Tensor, theta: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Samples moved where ``chosen`` (b,) is true, images linearly, labels by nearest voxel; zero from outside.

    ``theta`` (b, k + 1, k + 1) leads from a voxel of the result to one of the source, from the middle of the grid.
    Both are on the CPU. One call for all chosen samples instead of one each: on two cores that is most of what our
    loader gains (``bench/train_loop.py``).
    """
    chosen = chosen.nonzero().flatten()
    if len(chosen) == 0:
        return images, labels
    chosen, theta = placed(chosen, images.device), placed(theta[chosen], images.device)
    turned = _LINEAR(images[chosen], theta)
    turned_labels = _NEAREST(labels[chosen].unsqueeze(1).to(images.dtype), theta)
    images = images.index_copy(0, chosen, turned)
    return images, labels.index_copy(0, chosen, turned_labels.squeeze(1).to(labels.dtype))


def identities(count: int, dimensions: int) -> Tensor:
    """As many maps that move nothing, (count, k + 1, k + 1)."""
    return torch.eye(dimensions + 1).repeat(count, 1, 1)
