"""SF-Net's second decoder: from the coarsest map alone to a weight for each image at each voxel."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrfusion.backbones._base import Backbone, Steps


class Drawer(nn.Module):
    """Up from the coarsest map without skip connections, to weights (b, images, *xyz) that add up to 1 at each voxel.

    A level is a transposed convolution that undoes the encoder's stride, a 3x3 convolution and a ReLU; a 1x1
    convolution and a softmax over the images follow. SF-Net has the decoder without skips and the weight maps; what a
    level is made of, and that weights add up to 1, are ours. Starts near equal weights.
    """

    def __init__(self, backbone: Backbone, images: int) -> None:
        super().__init__()
        steps = zip(backbone.channels[:-1], backbone.channels[1:], backbone.strides[1:], strict=True)
        self.levels = nn.ModuleList(_level(fine, coarse, stride) for fine, coarse, stride in steps)
        convolution = nn.Conv2d if backbone.dimensions == 2 else nn.Conv3d
        self.head = convolution(backbone.channels[0], images, 1)

    def forward(self, maps: Sequence[Float[Tensor, "b _ ..."]]) -> Float[Tensor, "b k ..."]:
        """``maps`` of all levels, finest first; the last alone is read."""
        features = maps[-1]
        for level in reversed(self.levels):
            features = level(features)
        return torch.softmax(self.head(features).float(), 1)


def _level(fine: int, coarse: int, stride: Steps) -> nn.Module:
    """One level up: (b, coarse, *xyz / stride) -> (b, fine, *xyz)."""
    rise: type[nn.Module] = nn.ConvTranspose2d if len(stride) == 2 else nn.ConvTranspose3d
    convolution: type[nn.Module] = nn.Conv2d if len(stride) == 2 else nn.Conv3d
    return nn.Sequential(
        rise(coarse, fine, stride, stride), nn.ReLU(), convolution(fine, fine, 3, padding=1), nn.ReLU()
    )
