"""nnU-Net's residual encoder U-Net: a stem, residual blocks, and few convolutions in the decoder, as lists say."""

from collections.abc import Sequence

from torch import nn

from mrfusion.backbones._levels import PerAxis, read_levels
from mrfusion.backbones._nnunet import Listed, ResidualBlock, stacked


class Resenc(Listed):
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
        levels = read_levels(dimensions, features, strides=strides, kernels=kernels, blocks=blocks)
        super().__init__(levels, up, dimensions)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        here, kernel, same = self.channels[level], self.levels.kernels[level], (1,) * self.dimensions
        stem = [] if level else [stacked((in_channels, here), kernel)]
        first = ResidualBlock(in_channels if level else here, here, kernel, self.strides[level])
        more = (ResidualBlock(here, here, kernel, same) for _ in range(self.levels.blocks[level] - 1))
        return nn.Sequential(*stem, first, *more)
