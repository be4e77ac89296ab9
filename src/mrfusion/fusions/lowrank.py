"""Products of all modalities through factors of low rank, added to the mean."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.fusions._base import Fused, Fusion, handed_back, mean_present, where_present
from mrfusion.kinds import Count


class Lowrank(Fusion):
    """skip = mean + sum_i lambda_i prod_m (F_m^i [1; x_m]) per grid point (LMF, Liu et al. 2018, eq. 6).

    The streams go on unchanged. ``factors`` (m, rank, c, 1 + c) = F, ``scale`` (rank,) = lambda; an absent modality's
    factor is 1.
    Starts as the mean: lambda = 0. [ours] The method sets the last modality's factor to zero, which would not be the
    start of a case that lacks this modality. The paper has no residual and fuses vectors; ours does it per grid point.
    ``exchange=true`` adds skip - mean to each stream (x_m <- x_m + skip - mean): late fusion reads the streams alone.

    Options:
        rank: number of products that are added up
        exchange: whether the joined features return to the streams, as late fusion needs it
    Example: lowrank(rank=8)
    """

    def __init__(
        self, modalities: int, channels: int, dimensions: int, *, rank: Count = 4, exchange: bool = False
    ) -> None:
        super().__init__(modalities, channels, dimensions)
        self.exchange = exchange
        first = torch.cat((torch.ones(channels, 1), torch.zeros(channels, channels)), 1)
        noise = torch.randn(modalities, rank, channels, 1 + channels) / (1 + channels) ** 0.5
        self.factors = nn.Parameter(first + 0.5 * noise)
        self.scale = nn.Parameter(torch.zeros(rank))

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        points = where_present(streams, present).movedim(2, -1)
        weights, offsets = self.factors[..., 1:], self.factors[..., 0]
        product = torch.ones(())
        for m in range(self.modalities):
            here = torch.einsum("b...c,rdc->b...rd", points[:, m], weights[m]) + offsets[m]
            mask = present[:, m].view(-1, *[1] * (here.ndim - 1))
            product = torch.where(mask, here, 1.0) if m == 0 else product * torch.where(mask, here, 1.0)
        more = torch.einsum("b...rd,r->b...d", product, self.scale.to(product.dtype)).movedim(-1, 1)
        skip = mean_present(streams, present) + more
        return handed_back(streams, skip, present) if self.exchange else Fused(streams, skip)
