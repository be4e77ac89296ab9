"""nnU-Net's plain U-Net: strided convolutions, instance norm, leaky ReLU, each level as a list says."""

from collections.abc import Sequence

from torch import nn

from mrfusion.backbones._levels import PerAxis, read_levels
from mrfusion.backbones._nnunet import Listed, stacked


class Plain(Listed):
    """nnU-Net's PlainConvUNet (Isensee et al. 2021), parameter for parameter, for one concatenated stream.

    ``features`` is a list with the channels of every level, finest first; ``blocks`` convolutions a level in the
    encoder, the first of which coarsens the grid by the level's ``strides``, and ``up`` in the decoder; ``kernels`` of
    all of them. Each is one number or a list with one entry a level; an entry of strides or kernels may be a number an
    axis. All decoder levels have a head; that of the coarsest never learns, as nnU-Net gives its loss the weight 0.

    Options:
        features: a list with the channels of each level, finest first
        strides: a list with the stride of each level, or one for each axis of each level; default: 1, then 2
        kernels: size of the convolutions: one number, or a list with one for each level, or for each axis of it
        blocks: convolutions of each level of the encoder: one number, or a list with one for each level
        up: convolutions of each level of the decoder: one number, or a list with one for each level
    Example: plain(features=[32,64,128],strides=[1,[1,2,2],2])
    """

    def __init__(
        self,
        dimensions: int,
        *,
        features: Sequence[int] = (32, 64, 128, 256, 320),
        strides: Sequence[PerAxis] | None = None,
        kernels: PerAxis | Sequence[PerAxis] = 3,
        blocks: int | Sequence[int] = 2,
        up: int | Sequence[int] = 2,
    ) -> None:
        levels = read_levels(dimensions, features, strides=strides, kernels=kernels, blocks=blocks)
        super().__init__(levels, up, dimensions)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        widths = (in_channels, *[self.channels[level]] * self.levels.blocks[level])
        return stacked(widths, self.levels.kernels[level], self.strides[level])
