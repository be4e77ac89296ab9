"""Modalities exchange only through a few shared tokens."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, mean_present, where_present
from mrfusion.kinds import Count


class Bottleneck(Fusion):
    """Attention bottlenecks (Nagrani et al. 2021, eq. 7-9): what crosses modalities fits into ``tokens`` vectors.

    Each modality m fills its copy of the shared tokens from its own positions, t_m = t + Attn(t; x_m); the copies are
    averaged over the present modalities, t = mean_m t_m (eq. 9); every position then reads from them,
    x_m <- x_m + O Attn(x_m; t). skip = mean of the streams after it.
    Starts as the mean, to the bit: O = 0. [ours]
    Differs from the paper: the modalities' own encoders are convolutions, so that there is no attention within one.

    Options:
        tokens: number of shared vectors through which modalities exchange
    Example: bottleneck(tokens=8)
    """

    def __init__(self, modalities: int, channels: int, dimensions: int, *, tokens: Count = 4) -> None:
        super().__init__(modalities, channels, dimensions)
        self.tokens = nn.Parameter(torch.randn(tokens, channels))
        self.norm = nn.LayerNorm(channels)
        self.fill_key, self.fill_value = nn.Linear(channels, channels, bias=False), nn.Linear(channels, channels)
        self.shared_norm = nn.LayerNorm(channels)
        self.read_query = nn.Linear(channels, channels)
        self.read_key, self.read_value = nn.Linear(channels, channels, bias=False), nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        clean = where_present(streams, present)
        points = self.norm(clean.flatten(3).transpose(2, 3))  # (b, m, positions, c)
        copies = self.tokens + _attend(self.tokens, self.fill_key(points), self.fill_value(points))
        shared = self.shared_norm(mean_present(copies, present)).unsqueeze(1)
        change = self.out(_attend(self.read_query(points), self.read_key(shared), self.read_value(shared)))
        joined = clean + where_present(change.transpose(2, 3).reshape(clean.shape), present)
        return Fused(joined, mean_present(joined, present))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q k' / sqrt(c)) v over the last but one axis of key and value; leading axes are broadcast."""
    scores = query.to(key.dtype) @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
    return torch.softmax(scores.float(), -1).to(value.dtype) @ value
