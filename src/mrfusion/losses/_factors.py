"""Measures of how the modalities lie in each factor of an energy space; all of them on vectors at a few points."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

DELTA = 1e-6
FLOOR = 0.5  # of the standard deviation of a direction; that of all is 1 where vectors have RMS 1 and mean 0


@dataclass(frozen=True)
class Alignment:
    """``direction`` (r,) and ``independence`` are in [0, 1], ``distribution`` (r,) and ``floor`` are 0 or more."""

    direction: Float[Tensor, " r"]
    distribution: Float[Tensor, " r"]
    independence: Tensor
    floor: Tensor

    def terms(self) -> dict[str, Tensor]:
        """By name: ``factor1/direction``, .. , ``independence``, ``floor``."""
        each = {
            f"factor{r + 1}/{name}": value
            for name, values in (("direction", self.direction), ("distribution", self.distribution))
            for r, value in enumerate(values)
        }
        return each | {"independence": self.independence, "floor": self.floor}


def measure(
    vectors: Float[Tensor, "b m d v"],
    weights: Float[Tensor, "b m v"],
    present: Bool[Tensor, "b m"],
    factors: int,
) -> Alignment:
    """The measures of method 3.2 for vectors whose dimensions lie factor by factor."""
    batch, modalities, width, points = vectors.shape
    blocks = vectors.view(batch, modalities, factors, width // factors, points)
    here = present.view(*present.shape, 1, 1, 1).to(blocks.dtype)
    independence, floor = _together(vectors, here[..., 0], factors)
    return Alignment(direction(blocks, weights), distribution(blocks, here), independence, floor)


def direction(blocks: Float[Tensor, "b m r k v"], weights: Float[Tensor, "b m v"]) -> Float[Tensor, " r"]:
    """1 - |sum_m pi_m h_m / |h_m||^2: 0 iff all point the same way, 1 iff they cancel; the mean over points."""
    joint = (weights[:, :, None, None] * functional.normalize(blocks, dim=3)).sum(1)
    return (1 - joint.square().sum(2)).mean((0, 2))


def distribution(blocks: Float[Tensor, "b m r k v"], here: Tensor) -> Float[Tensor, " r"]:
    """mean_m |mu_m - mu|^2 / tr S + |S_m - S|^2 / |S|^2: 0 iff the modalities agree in two moments."""
    count = (here.sum((0, 4)) * blocks.shape[4]).unsqueeze(3)[..., 0]  # (m, 1, 1)
    some = (count > 0).to(blocks.dtype)
    mean = (blocks * here).sum((0, 4)) / count.clamp(min=1)
    apart = (blocks - mean.unsqueeze(3)) * here
    spread = torch.einsum("bmrkv,bmrlv->mrkl", apart, apart) / count.unsqueeze(3).clamp(min=1)
    number = some.sum().clamp(min=1)
    centre, middle = (mean * some).sum(0) / number, (spread * some.unsqueeze(3)).sum(0) / number
    trace = middle.diagonal(dim1=1, dim2=2).sum(1)
    of_mean = (mean - centre).square().sum(2) / (trace + DELTA)
    of_spread = (spread - middle).square().sum((2, 3)) / (middle.square().sum((1, 2)) + DELTA)
    return ((of_mean + of_spread) * some[..., 0]).sum(0) / number


def _together(vectors: Float[Tensor, "b m d v"], here: Float[Tensor, "b m 1 1"], factors: int) -> tuple[Tensor, Tensor]:
    """Of all modalities' vectors: mean squared correlation between factors, and how far deviations are below FLOOR.

    The floor is a barrier, FLOOR / deviation - 1, because all modalities agree most easily on a constant vector.
    """
    width = vectors.shape[2]
    count = (here.sum() * vectors.shape[3]).clamp(min=1)
    mean = (vectors * here).sum((0, 1, 3)) / count
    apart = (vectors - mean.view(-1, 1)) * here
    spread = torch.einsum("bmdv,bmev->de", apart, apart) / count
    deviation = (spread.diagonal() + DELTA).sqrt()
    correlation = spread / (deviation.unsqueeze(0) * deviation.unsqueeze(1))
    block = torch.arange(width, device=vectors.device) // (width // factors)
    between = (block.unsqueeze(0) != block.unsqueeze(1)).to(vectors.dtype)
    independence = (correlation.square() * between).sum() / between.sum().clamp(min=1)
    return independence, functional.relu(FLOOR / deviation - 1).mean()
