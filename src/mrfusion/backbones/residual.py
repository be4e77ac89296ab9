"""A strong default: residual encoder, instance norm, deep supervision."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from mrfusion.backbones._base import Backbone, Up
from mrfusion.backbones._blocks import convolutions, residual_block, rising_convolution
from mrfusion.backbones._levels import Base, PerAxis, Stages, read_levels, widths

MOST_CHANNELS = 320  # as nnU-Net's in 3-D


class Residual(Backbone):
    """Residual encoder U-Net after nnU-Net's ResEnc presets (Isensee et al. 2024).

    ``base`` channels at the finest of ``stages`` + 1 levels, doubled at each coarser one up to 320; or ``base``
    is a list with the channels of every level, which stands in for both. ``blocks`` residual blocks a level, the
    first of which coarsens the grid by the level's ``strides`` (default: 2 along every axis); ``kernels`` of the
    convolutions. Blocks and kernels are one number or a list with one entry a level, strides a list; an entry of
    strides or kernels may be a number an axis, as in ``strides=((1,1,1),(1,2,2))``. A decoder of two convolutions a
    level; in training heads at the three finest decoder levels, or, of listed levels, at all but the coarsest.
    Differs from nnU-Net's (``resenc``): no stem, a strided 1x1 convolution beside the blocks, ReLU in the decoder,
    whose instance norms do not scale and shift. ``norm=batch`` [ours] keeps what instance norm takes away, how bright a
    slice is as a whole; in PET that tells the disease (docs/strength.md).

    Options:
        base: number of channels at the finest level; or a list with the channels of every level
        stages: how often the grid is coarsened
        blocks: residual blocks of each level, from 1 to 16: one number, or a list with one for each level
        strides: a list with the stride of each level, or one for each axis of each level; default: 1, then 2
        kernels: size of the convolutions: one number, or a list with one for each level, or for each axis of it
        norm: instance, of each sample and channel alone; or batch
    Example: residual(base=24)
    """

    def __init__(
        self,
        dimensions: int,
        *,
        base: Base = 32,
        stages: Stages = 4,
        blocks: int | Sequence[int] = 1,
        strides: Sequence[PerAxis] | None = None,
        kernels: PerAxis | Sequence[PerAxis] = 3,
        norm: Literal["instance", "batch"] = "instance",
    ) -> None:
        super().__init__(dimensions)
        features = widths(base, stages=stages, widest=MOST_CHANNELS)
        self.levels = read_levels(dimensions, features, strides=strides, kernels=kernels, blocks=blocks)
        self.channels, self.given_strides, self.norm = self.levels.features, self.levels.strides, norm
        decoder_levels = len(self.channels) - 1
        self.deep_supervision = min(3, decoder_levels) if isinstance(base, int) else max(1, decoder_levels - 1)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        here, kernel = self.channels[level], self.levels.kernels[level]
        first = residual_block(in_channels, here, self.norm, kernel=kernel, step=self.strides[level])
        rest = range(self.levels.blocks[level] - 1)
        more = (residual_block(here, here, self.norm, kernel=kernel, step=(1,) * self.dimensions) for _ in rest)
        return nn.Sequential(first, *more)

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.channels[level + 1], here, self.strides[level + 1])
        norm = "INSTANCE" if self.norm == "instance" else self.norm  # in capitals MONAI's own, without scale and shift
        return Up(rise, convolutions(2 * here, here, norm, kernel=self.levels.kernels[level], count=2))
