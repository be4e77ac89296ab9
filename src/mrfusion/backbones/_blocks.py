"""Blocks that several backbones are made of, from MONAI."""

from typing import Any

from monai.networks.blocks import Convolution
from monai.networks.blocks.dynunet_block import UnetResBlock
from torch import nn

from mrfusion.backbones._base import Steps

_INSTANCE = ("INSTANCE", {"affine": True})  # MONAI's default has no scale and shift


def convolutions(in_channels: int, out_channels: int, norm: str | None, *, kernel: Steps, count: int) -> nn.Sequential:
    """``count`` convolutions, each with its norm (None: none) and ReLU."""
    widths = (in_channels, *[out_channels] * (count - 1))
    relu = ("RELU", {"inplace": True})  # the same numbers, 3 % less time: nobody reads what the norm gave
    settings = {"kernel_size": kernel, "act": relu, "norm": _scaled(norm), "adn_ordering": "NA"}
    return nn.Sequential(*(Convolution(len(kernel), width, out_channels, **settings) for width in widths))


def rising_convolution(in_channels: int, out_channels: int, step: Steps) -> nn.Module:
    """A transposed convolution whose kernel and stride are ``step``."""
    convolution = nn.ConvTranspose2d if len(step) == 2 else nn.ConvTranspose3d
    return convolution(in_channels, out_channels, kernel_size=step, stride=step)  # type: ignore[arg-type]


def residual_block(in_channels: int, out_channels: int, norm: str, *, kernel: Steps, step: Steps) -> nn.Module:
    """A residual block of two convolutions with a norm and leaky ReLU (He et al. 2016)."""
    settings = {"kernel_size": kernel, "stride": step, "norm_name": _scaled(norm)}
    return UnetResBlock(len(step), in_channels, out_channels, **settings)  # type: ignore[no-any-return]


def _scaled(norm: str | None) -> Any:
    """MONAI's word for a norm that scales and shifts."""
    return _INSTANCE if norm == "instance" else norm


def pooling(step: Steps) -> nn.Module:
    """Max-pooling over ``step`` grid points along each axis."""
    return nn.MaxPool2d(step) if len(step) == 2 else nn.MaxPool3d(step)
