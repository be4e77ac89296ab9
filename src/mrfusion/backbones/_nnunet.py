"""Layers of nnU-Net's networks, after dynamic_network_architectures 0.4 (Isensee et al., Apache-2.0), written anew."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from mrfusion.backbones._base import Backbone, Steps, Up
from mrfusion.backbones._levels import Levels, numbers

SLOPE = 0.01  # of the leaky ReLU, and so of its first weights


def convolution(in_channels: int, out_channels: int, kernel: Steps, step: Steps | None = None) -> nn.Module:
    """A padded convolution with a bias, drawn as nnU-Net draws it (He et al. 2015)."""
    kind = nn.Conv2d if len(kernel) == 2 else nn.Conv3d
    padding = tuple((extent - 1) // 2 for extent in kernel)
    return drawn(kind(in_channels, out_channels, kernel, step or (1,) * len(kernel), padding))  # type: ignore[arg-type]


def rising_convolution(in_channels: int, out_channels: int, step: Steps) -> nn.Module:
    """A transposed convolution whose kernel and stride are ``step``."""
    kind = nn.ConvTranspose2d if len(step) == 2 else nn.ConvTranspose3d
    return drawn(kind(in_channels, out_channels, step, step))  # type: ignore[arg-type]


def drawn(layer: nn.Module) -> nn.Module:
    """The layer with first weights by Kaiming's rule for the leaky ReLU, and biases of 0."""
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)  # type: ignore[arg-type]
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def norm(channels: int, dimensions: int) -> nn.Module:
    """Instance norm with scale and shift."""
    kind = nn.InstanceNorm2d if dimensions == 2 else nn.InstanceNorm3d
    return kind(channels, eps=1e-5, affine=True)


def stacked(widths: Iterable[int], kernel: Steps, step: Steps | None = None) -> nn.Sequential:
    """Convolution, norm and leaky ReLU from each width to the next; the first convolution has the stride."""
    each = list(widths)
    layers: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(each)):
        layers += [convolution(before, after, kernel, None if number else step), norm(after, len(kernel))]
        layers.append(nn.LeakyReLU(SLOPE, inplace=True))
    return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """The basic block of ResNet-D (He et al. 2019, "Bag of tricks").

    The way past it is an average over the stride, and where the width changes a 1x1 convolution without a bias and a
    norm. The second norm inside begins at 0, so that the block begins as the way past it alone.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: Steps, step: Steps) -> None:
        super().__init__()
        dimensions = len(kernel)
        last = norm(out_channels, dimensions)
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        self.inside = nn.Sequential(
            *stacked((in_channels, out_channels), kernel, step),
            convolution(out_channels, out_channels, kernel),
            last,
        )
        past: list[nn.Module] = []
        if any(extent != 1 for extent in step):
            past.append((nn.AvgPool2d if dimensions == 2 else nn.AvgPool3d)(step, step))  # type: ignore[arg-type]
        if in_channels != out_channels:
            kind = nn.Conv2d if dimensions == 2 else nn.Conv3d
            past += [drawn(kind(in_channels, out_channels, 1, bias=False)), norm(out_channels, dimensions)]
        self.past = nn.Sequential(*past)
        self.activation = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """(b, in_channels, *xyz) -> (b, out_channels, *xyz / step)."""
        return self.activation(self.inside(features) + self.past(features))  # type: ignore[no-any-return]


class Listed(Backbone):
    """What nnU-Net's two networks share: levels by lists, a decoder of convolutions, a head at every decoder level."""

    def __init__(self, levels: Levels, up: int | Sequence[int], dimensions: int) -> None:
        super().__init__(dimensions)
        self.levels = levels
        self.channels, self.given_strides = levels.features, levels.strides
        self.up = numbers("up", up, len(self.channels) - 1)
        self.deep_supervision = max(1, len(self.channels) - 2)

    @property
    def built_heads(self) -> int:
        return len(self.channels) - 1

    def head(self, level: int, out_channels: int) -> nn.Module:
        return convolution(self.channels[level], out_channels, (1,) * self.dimensions)

    def decoder_level(self, level: int) -> nn.Module:
        here = self.channels[level]
        rise = rising_convolution(self.channels[level + 1], here, self.strides[level + 1])
        return Up(rise, stacked((2 * here, *[here] * self.up[level]), self.levels.kernels[level]))
