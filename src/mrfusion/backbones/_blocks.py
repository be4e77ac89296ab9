"""Blocks that several backbones are made of, from MONAI."""

import torch
from monai.networks.blocks import Convolution
from monai.networks.blocks.dynunet_block import UnetResBlock
from torch import Tensor, nn

_INSTANCE = ("INSTANCE", {"affine": True})  # MONAI's default has no scale and shift


class Up(nn.Module):
    """Transposed convolution up, the skip concatenated, then the level's own convolutions."""

    def __init__(self, rise: nn.Module, convolutions: nn.Module) -> None:
        super().__init__()
        self.rise, self.convolutions = rise, convolutions

    def forward(self, coarser: Tensor, skip: Tensor) -> Tensor:
        """(b, c', *xyz / 2) and (b, c, *xyz) -> (b, c, *xyz)."""
        return self.convolutions(torch.cat((self.rise(coarser), skip), 1))  # type: ignore[no-any-return]


def double_convolution(dimensions: int, in_channels: int, out_channels: int, norm: str | None) -> nn.Sequential:
    """Two 3x3 convolutions, each with its norm (None: none) and ReLU."""
    scaled = _INSTANCE if norm == "instance" else norm
    settings = {"kernel_size": 3, "act": "RELU", "norm": scaled, "adn_ordering": "NA"}
    return nn.Sequential(
        Convolution(dimensions, in_channels, out_channels, **settings),
        Convolution(dimensions, out_channels, out_channels, **settings),
    )


def rising_convolution(dimensions: int, in_channels: int, out_channels: int) -> nn.Module:
    """A transposed convolution with kernel and stride 2."""
    convolution = nn.ConvTranspose2d if dimensions == 2 else nn.ConvTranspose3d
    return convolution(in_channels, out_channels, kernel_size=2, stride=2)


def residual_block(dimensions: int, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """A residual block of two 3x3 convolutions with instance norm and leaky ReLU (He et al. 2016; nnU-Net's)."""
    return UnetResBlock(dimensions, in_channels, out_channels, kernel_size=3, stride=stride, norm_name=_INSTANCE)  # type: ignore[no-any-return]


def pooling(dimensions: int) -> nn.Module:
    """Max-pooling by two."""
    return nn.MaxPool2d(2) if dimensions == 2 else nn.MaxPool3d(2)
