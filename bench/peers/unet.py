"""The paper's U-Net in plain torch: the network of the peers, layer by layer that of ``mrfusion.backbones.unet``.

Imported by environments in which mrfusion is not installed.
"""

import torch
from torch import Tensor, nn


class PlainUnet(nn.Module):
    """(b, in_channels, *xyz) -> logits (b, out_channels, *xyz); sides must be multiples of 4."""

    def __init__(self, dimensions: int, in_channels: int, out_channels: int, base: int = 16) -> None:
        super().__init__()
        two = dimensions == 2
        convolution, rising = (nn.Conv2d, nn.ConvTranspose2d) if two else (nn.Conv3d, nn.ConvTranspose3d)
        a, b, c = base, 2 * base, 4 * base
        self.finest = _double(dimensions, in_channels, a)
        self.middle = _double(dimensions, a, b)
        self.coarsest = _double(dimensions, b, c)
        self.pool = nn.MaxPool2d(2) if two else nn.MaxPool3d(2)
        self.rise_middle, self.rise_finest = rising(c, b, 2, 2), rising(b, a, 2, 2)
        self.up_middle, self.up_finest = _double(dimensions, 2 * b, b), _double(dimensions, 2 * a, a)
        self.head = convolution(a, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits on the grid of ``images``."""
        finest = self.finest(images)
        middle = self.middle(self.pool(finest))
        coarsest = self.coarsest(self.pool(middle))
        middle = self.up_middle(torch.cat((self.rise_middle(coarsest), middle), 1))
        logits: Tensor = self.head(self.up_finest(torch.cat((self.rise_finest(middle), finest), 1)))
        return logits


def _double(dimensions: int, in_channels: int, out_channels: int) -> nn.Sequential:
    convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if dimensions == 2 else (nn.Conv3d, nn.BatchNorm3d)
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [convolution(channels, out_channels, 3, padding=1), norm(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
