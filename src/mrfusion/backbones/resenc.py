"""nnU-Net's residual encoder U-Net: a stem, residual blocks, and few convolutions in the decoder, as lists say."""

from collections.abc import Sequence

from torch import nn

from mrfusion.backbones._base import Backbone, Up
from mrfusion.backbones._levels import PerAxis, numbers, read_levels
from mrfusion.backbones._nnunet import ResidualBlock, convolution, rising_convolution, stacked


class Resenc(Backbone):
    """nnU-Net's ResidualEncoderUNet (Isensee et al. 2024), parameter for parameter, for one concatenated stream.

    ``features`` is a list with the channels of every level, finest first; ``blocks`` residual blocks a level, the first
    of which coarsens the grid by the level's ``strides``; ``up`` convolutions a level in the decoder; ``kernels`` of
    all of them. Each is one number or a list with one entry a level; an entry of strides or kernels may be a number an
    axis. All decoder levels have a head; that of the coarsest never learns, as nnU-Net gives its loss the weight 0.

    Options:
        features: a list with the channels of each level, finest first
        strides: a list with the stride of each level, or one for each axis of each level; default: 1, then 2
        kernels: size of the convolutions: one number, or a list with one for each level, or for each axis of it
        blocks: residual blocks of each level of the encoder: one number, or a list with one for each level
        up: convolutions of each level of the decoder: one number, or a list with one for each level
    Example: resenc(features=[32,64,128],blocks=[1,3,4])
    """

    def __init__(
        self,
        dimensions: int,
        *,
        features: Sequence[int] = (32, 64, 128, 256, 320),
        strides: Sequence[PerAxis] | None = None,
        kernels: PerAxis | Sequence[PerAxis] = 3,
        blocks: int | Sequence[int] = (1, 3, 4, 6, 6),
        up: int | Sequence[int] = 1,
    ) -> None:
        super().__init__(dimensions)
        self.levels = read_levels(dimensions, features, strides=strides, kernels=kernels, blocks=blocks)
        self.channels, self.given_strides = self.levels.features, self.levels.strides
        self.up = numbers("up", up, len(self.channels) - 1)
        self.deep_supervision = max(1, len(self.channels) - 2)

    @property
    def built_heads(self) -> int:
        return len(self.channels) - 1

    def head(self, level: int, out_channels: int) -> nn.Module:
        return convolution(self.channels[level], out_channels, (1,) * self.dimensions)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        here, kernel, same = self.channels[level], self.levels.kernels[level], (1,) * self.dimensions
        stem = [] if level else [stacked((in_channels, here), kernel)]
        first = ResidualBlock(in_channels if level else here, here, kernel, self.strides[level])
        more = (ResidualBlock(here, here, kernel, same) for _ in range(self.levels.blocks[level] - 1))
        return nn.Sequential(*stem, first, *more)

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.channels[level + 1], here, self.strides[level + 1])
        return Up(rise, stacked((2 * here, *[here] * self.up[level]), self.levels.kernels[level]))
