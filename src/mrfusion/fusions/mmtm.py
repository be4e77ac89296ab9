"""Squeeze and excitation across modalities: each stream's channels are gated by what all streams hold."""

from math import inf
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, mean_present, where_present

Ratio = Annotated[float, Ge(0.001), Lt(inf)]  # less asks for more memory than any machine has


class Mmtm(Fusion):
    """Multimodal transfer module (Vaezi Joze et al. 2020, eq. 2-6), for any number of modalities.

    s_m = GAP(x_m); z = ReLU(W [s_1 .. s_M] + b), of width 2 M C / ratio; x_m <- 2 sigma(V_m z + c_m) x_m;
    skip = mean of the gated streams. ``squeeze`` = W, b; ``excite`` = V, c.
    Starts as the mean, to the bit: V = 0 and c = 0 make every gate 1. [paper: the gates; the start is ours]
    Differs from the paper: an absent modality is squeezed to 0. [ours]
    Record: ``gates`` (b, m, c) in (0, 2), 1 where a modality is absent.

    Options:
        ratio: the squeezed vector has 2 x modalities x channels / ratio entries
    Example: mmtm(ratio=8)
    """

    def __init__(self, modalities: int, channels: int, dimensions: int, *, ratio: Ratio = 4.0) -> None:
        super().__init__(modalities, channels, dimensions)
        width = max(1, round(2 * modalities * channels / ratio))
        self.squeeze = nn.Linear(modalities * channels, width)
        self.excite = nn.Linear(width, modalities * channels)
        nn.init.zeros_(self.excite.weight)
        nn.init.zeros_(self.excite.bias)

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        clean = where_present(streams, present)
        joint = torch.relu(self.squeeze(clean.flatten(3).mean(3).flatten(1)))
        gates = 2 * torch.sigmoid(self.excite(joint).unflatten(1, (self.modalities, self.channels)))
        gates = where_present(gates, present, 1.0)
        gated = clean * gates.view(*gates.shape, *[1] * self.dimensions).to(streams.dtype)
        return Fused(gated, mean_present(gated, present), {"gates": gates.detach()})
