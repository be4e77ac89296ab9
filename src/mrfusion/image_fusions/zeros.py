"""An empty channel; a control: what does one more channel do when nothing is in it?"""

import torch
from jaxtyping import Float
from torch import Tensor

from mrfusion.image_fusions._base import ImageFusion


class Zeros(ImageFusion):
    """Zeros everywhere. No parameters.

    Options:
        modalities: not used; the channel is 0 everywhere
    Example: zeros
    """

    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        return torch.zeros_like(images[:, :1])
