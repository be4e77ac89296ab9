"""The paper's U-Net: two stages down and two up, two 3x3 convolutions with ReLU each."""

from torch import nn

from mrfusion.backbones._base import Backbone, check_between
from mrfusion.backbones._blocks import Up, double_convolution, pooling, rising_convolution


class Unet(Backbone):
    """U-Net of Li, Zhao, Zhang (method 1.1): ``stages`` times max-pooling down and transposed convolution up.

    ``base`` channels at the finest level, doubled at each coarser one.
    Differs from the paper: it names no normalisation; ours is ``norm=batch``, and ``norm=instance`` or ``norm=none``
    are choices.

    Options:
        base: number of channels at the finest level; from 1 to 1024
        stages: how often the grid is halved; from 1 to 8
        norm: batch, instance, or null for none
    Example: unet(base=32,norm=instance)
    """

    def __init__(self, dimensions: int, *, base: int = 16, stages: int = 2, norm: str | None = "batch") -> None:
        super().__init__(dimensions)
        check_between("base", base, 1, 1024)
        check_between("stages", stages, 1, 8)
        self.channels = tuple(base * 2**level for level in range(stages + 1))
        self.norm = norm

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        convolutions = double_convolution(self.dimensions, in_channels, self.channels[level], self.norm)
        return nn.Sequential(pooling(self.dimensions), convolutions) if level else convolutions

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.dimensions, self.channels[level + 1], here)
        return Up(rise, double_convolution(self.dimensions, 2 * here, here, self.norm))
