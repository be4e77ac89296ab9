"""The contract of an image fusion: the images of some modalities in, one image out."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class ImageFusion(nn.Module, ABC):
    """One image made of several; it becomes one more channel of an early-fusion network.

    Built with the names of the modalities it reads (none: all of the case) and its own keyword arguments.
    """

    def __init__(self, *modalities: str) -> None:
        super().__init__()
        self.modalities = modalities

    @abstractmethod
    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        """The fused image of ``images``, whose channels are ``self.modalities`` in their order."""
