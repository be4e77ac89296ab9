"""A strong default: residual encoder, instance norm, deep supervision."""

from torch import nn

from mrfusion.backbones._base import Backbone, check_between
from mrfusion.backbones._blocks import Up, double_convolution, residual_block, rising_convolution


class Residual(Backbone):
    """Residual encoder U-Net after nnU-Net's ResEnc presets (Isensee et al. 2024).

    ``base`` channels at the finest of ``stages`` + 1 levels, doubled at each coarser one up to ``widest``; ``blocks``
    residual blocks a level, the first of which halves the grid; a decoder of two convolutions a level; heads at the
    three finest decoder levels in training.
    Differs from nnU-Net: the number of blocks is the same at every level, and nothing is planned from the data.

    Options:
        base: number of channels at the finest level; from 1 to 1024
        stages: number of levels; from 1 to 8
        blocks: residual blocks of each level; from 1 to 16
        widest: most channels that a level may have
    Example: residual(base=24)
    """

    def __init__(self, dimensions: int, *, base: int = 32, stages: int = 4, blocks: int = 1, widest: int = 320) -> None:
        super().__init__(dimensions)
        for name, value, most in (("base", base, 1024), ("stages", stages, 8), ("blocks", blocks, 16)):
            check_between(name, value, 1, most)
        self.channels = tuple(min(base * 2**level, widest) for level in range(stages + 1))
        self.blocks = blocks
        self.deep_supervision = min(3, stages)

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        here = self.channels[level]
        first = residual_block(self.dimensions, in_channels, here, stride=2 if level else 1)
        more = (residual_block(self.dimensions, here, here, stride=1) for _ in range(self.blocks - 1))
        return nn.Sequential(first, *more)

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.dimensions, self.channels[level + 1], here)
        return Up(rise, double_convolution(self.dimensions, 2 * here, here, "INSTANCE"))
