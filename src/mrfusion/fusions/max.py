"""Maximum over the present modalities."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, handed_back, mean_present, where_present


class Max(Fusion):
    """skip = elementwise maximum of the present streams; the streams go on unchanged. No parameters.

    Does not start as the mean: a candidate that is warm-started with it does not begin where its parent ended.
    ``exchange=true``: skip = mean + gamma (maximum - mean), and x_m <- x_m + skip - mean, since late fusion reads the
    streams alone; gamma = 0 at first, so that this form does start as the mean. [ours]

    Options:
        exchange: whether the joined features return to the streams, as late fusion needs it
    Example: max(exchange=true)
    """

    def __init__(self, modalities: int, channels: int, dimensions: int, *, exchange: bool = False) -> None:
        super().__init__(modalities, channels, dimensions)
        self.gamma = nn.Parameter(torch.zeros(())) if exchange else None

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        largest = where_present(streams, present, float("-inf")).amax(1)
        if self.gamma is None:
            return Fused(streams, largest)
        mean = mean_present(streams, present)
        return handed_back(streams, mean + self.gamma.to(mean.dtype) * (largest - mean), present)
