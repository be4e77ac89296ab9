"""The contract of an image fusion: the images of some modalities in, one image out."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

IN_FILE = "plan: 'concat+CHOICE'"  # how a choice is written; `mrfusion list` shows it

_NARROWEST = 1e-6  # an image that is flatter than this has no range to speak of


class ImageFusion(nn.Module, ABC):
    """One image made of several; it becomes one more channel of an early-fusion network.

    A source that is absent comes as zeros everywhere, as background does.
    Built with the names of the modalities it reads and its own keyword arguments; where a plan names none, with all
    modalities that the plan reads.
    """

    def __init__(self, *modalities: str) -> None:
        super().__init__()
        self.modalities = modalities

    @abstractmethod
    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        """The fused image of ``images``, whose channels are ``self.modalities`` in their order."""


def unit_range(images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b k *xyz"]:
    """Each image in [0, 1], in single precision: a normalised image's background (exactly 0) becomes 0, its darkest
    voxel inside too and its brightest 1. An image without a range is 0.

    Inside, a prepared image has mean 0; without this rule its background would be grey and not black.
    """
    grid = tuple(range(2, images.ndim))
    images = images.float()
    inside = images != 0
    low = torch.where(inside, images, torch.inf).amin(grid, keepdim=True)
    high = torch.where(inside, images, -torch.inf).amax(grid, keepdim=True)
    scaled = (images - low) / (high - low).clamp(min=_NARROWEST)
    return torch.where(inside & (high > low), scaled, 0.0)


def min_max(images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b k *xyz"]:
    """Each image stretched to [0, 1], in single precision; a constant image is 0."""
    grid = tuple(range(2, images.ndim))
    images = images.float()
    low, high = images.amin(grid, keepdim=True), images.amax(grid, keepdim=True)
    return (images - low) / (high - low).clamp(min=_NARROWEST)
