"""Another fusion behind a gate, open at random in training: what a supernet is made of."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrfusion import families
from mrfusion.fusions._base import Fused, Fusion, mean_present
from mrfusion.kinds import Share


class Gated(Fusion):
    """``fusion`` where a case's gate is open, the mean where it is closed. [ours]

    In training each case's gate is open with probability ``share``; otherwise always. So the network's other weights
    serve both, and every placement can be validated on them. What ``fusion`` hands the next level and the losses is
    the same behind a closed gate. Starts as ``fusion`` does.

    Options:
        fusion: the fusion behind the gate, as text
        share: probability of an open gate in training
    Example: gated(fusion=mmtm,share=0.5)
    """

    def __init__(
        self, modalities: int, channels: int, dimensions: int, *, fusion: str = "mmtm", share: Share = 0.5
    ) -> None:
        super().__init__(modalities, channels, dimensions)
        self.behind = families.load("fusions", fusion)(modalities, channels, dimensions)
        self.share, self.reads_finer = share, self.behind.reads_finer

    def coarsened(self, step: tuple[int, ...]) -> None:
        super().coarsened(step)
        self.behind.coarsened(step)

    def forward(
        self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"], finer: Tensor | None = None
    ) -> Fused:
        told = (finer,) if self.reads_finer else ()
        fused: Fused = self.behind(streams, present, *told)
        if not self.training:
            return fused
        is_open = torch.rand(len(streams), device=streams.device) < self.share
        past = is_open.view(-1, *[1] * (streams.ndim - 1))
        skip = torch.where(past[:, 0], fused.skip, mean_present(streams, present).to(fused.skip.dtype))
        joined = torch.where(past, fused.streams, streams.to(fused.streams.dtype))
        return replace(fused, streams=joined, skip=skip)
