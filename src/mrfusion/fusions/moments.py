"""Mean and variance over the present modalities, mixed by a 1x1 convolution."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, handed_back, mean_present, where_present


class Moments(Fusion):
    """skip = W [mean, variance] + b per grid point (HeMIS, Havaei et al. 2016, eq. 1-2); the streams go on unchanged.

    The variance divides by n - 1 and is 0 where a single modality is present. [paper]
    Starts as the mean: W = [I 0], b = 0. The paper hands both moments on side by side; the 1x1 convolution, which keeps
    the number of channels, is ours.
    ``exchange=true`` adds skip - mean to each stream (x_m <- x_m + skip - mean): late fusion reads the streams alone.

    Options:
        exchange: whether the joined features return to the streams, as late fusion needs it
    Example: moments(exchange=true)
    """

    def __init__(self, modalities: int, channels: int, dimensions: int, *, exchange: bool = False) -> None:
        super().__init__(modalities, channels, dimensions)
        self.exchange = exchange
        self.mix = nn.Linear(2 * channels, channels)
        nn.init.zeros_(self.mix.bias)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(channels, 2 * channels))

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        mean = mean_present(streams, present)
        apart = where_present(where_present(streams, present) - mean.unsqueeze(1), present)
        others = (present.sum(1) - 1).clamp(min=1).view(-1, *[1] * (mean.ndim - 1))
        variance = apart.square().sum(1) / others
        skip = self.mix(torch.cat((mean, variance), 1).movedim(1, -1)).movedim(-1, 1)
        return handed_back(streams, skip, present) if self.exchange else Fused(streams, skip)
