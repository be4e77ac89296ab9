"""A learned 1x1 convolution of the concatenated modalities."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, handed_back, where_present


class Concat(Fusion):
    """skip = W [x_1 .. x_M] + b per grid point; the streams go on unchanged.

    Starts as the mean: W = [I/M .. I/M], b = 0. An absent modality enters as zero and the sum is scaled by
    M / (number present), so that the start is the mean over the present ones for every subset.
    ``exchange=true`` adds skip - mean to each stream (x_m <- x_m + skip - mean): late fusion reads the streams alone.

    Options:
        exchange: whether the joined features return to the streams, as late fusion needs it
    Example: concat(exchange=true)
    """

    def __init__(self, modalities: int, channels: int, dimensions: int, *, exchange: bool = False) -> None:
        super().__init__(modalities, channels, dimensions)
        self.exchange = exchange
        self.mix = nn.Linear(modalities * channels, channels)
        nn.init.zeros_(self.mix.bias)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(channels).repeat(1, modalities) / modalities)

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        scale = self.modalities / present.sum(1).clamp(min=1).to(streams.dtype)
        joined = where_present(streams, present) * scale.view(-1, *[1] * (streams.ndim - 1))
        skip = self.mix(joined.flatten(1, 2).movedim(1, -1)).movedim(-1, 1)
        return handed_back(streams, skip, present) if self.exchange else Fused(streams, skip)
