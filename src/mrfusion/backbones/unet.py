"""The paper's U-Net: two stages down and two up, two 3x3 convolutions with ReLU each."""

from collections.abc import Sequence

from torch import nn

from mrfusion.backbones._base import Backbone, Up
from mrfusion.backbones._blocks import convolutions, pooling, rising_convolution
from mrfusion.backbones._levels import WIDEST, Base, PerAxis, Stages, read_levels, widths


class Unet(Backbone):
    """U-Net of Li, Zhao, Zhang (method 1.1): ``stages`` times max-pooling down and transposed convolution up.

    ``base`` channels at the finest level, doubled at each coarser one; or ``base`` is a list with the channels of every
    level. ``blocks`` convolutions a level, ``kernels`` of them, ``strides`` of the pooling: as in ``residual``. Of
    listed levels all decoder levels but the coarsest have a head in training, else the finest alone.
    Differs from the paper: it names no normalisation; ours is ``norm=batch``, and ``norm=instance`` or ``norm=none``
    are choices.

    Options:
        base: number of channels at the finest level; or a list with the channels of every level
        stages: how often the grid is coarsened
        norm: batch, instance, or null for none
        blocks: convolutions of each level, from 1 to 16: one number, or a list with one for each level
        strides: a list with the stride of each level, or one for each axis of each level; default: 1, then 2
        kernels: size of the convolutions: one number, or a list with one for each level, or for each axis of it
    Example: unet(base=32,norm=instance)
    """

    def __init__(
        self,
        dimensions: int,
        *,
        base: Base = 16,
        stages: Stages = 2,
        norm: str | None = "batch",
        blocks: int | Sequence[int] = 2,
        strides: Sequence[PerAxis] | None = None,
        kernels: PerAxis | Sequence[PerAxis] = 3,
    ) -> None:
        super().__init__(dimensions)
        features = widths(base, stages=stages, widest=WIDEST)
        self.levels = read_levels(dimensions, features, strides=strides, kernels=kernels, blocks=blocks)
        self.channels, self.given_strides, self.norm = self.levels.features, self.levels.strides, norm
        self.deep_supervision = 1 if isinstance(base, int) else max(1, len(self.channels) - 2)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        made = self._convolutions(level, in_channels)
        return nn.Sequential(pooling(self.strides[level]), made) if level else made

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.channels[level + 1], here, self.strides[level + 1])
        return Up(rise, self._convolutions(level, 2 * here))

    def _convolutions(self, level: int, in_channels: int) -> nn.Sequential:
        count, kernel = self.levels.blocks[level], self.levels.kernels[level]
        return convolutions(in_channels, self.channels[level], self.norm, kernel=kernel, count=count)
