"""The energy of a modern Hopfield network over a grid: streams step towards prototypes that all modalities share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrfusion.fusions._base import where_present
from mrfusion.fusions._energy import Law
from mrfusion.fusions._recompute import by_rows
from mrfusion.fusions._space import Frame, halved, told_by, unit


class Prepared(NamedTuple):
    """A frame's tensors, ``prototypes`` (k, D) of RMS 1, ``strengths`` (3,) = alpha, gamma, beta, ``sharpness`` kappa
    and ``tau``."""

    project: Tensor
    prior: Tensor
    bias: Tensor
    out: Tensor
    lift: Tensor
    prototypes: Tensor
    strengths: Tensor
    sharpness: Tensor
    tau: Tensor


@dataclass(frozen=True)
class Hopfield:
    """e = 1/n sum_m [alpha/2D |Z_m - U_m|^2 + gamma/2D |Z_m - T|^2 + beta q(Z_m)] for one batch. [ours]

    q(Z) = -1/kappa log mean_k exp(-kappa/2D |Z - p_k|^2) >= 0 is, up to a constant, the energy of Ramsauer et al. 2021
    (eq. 3) with patterns p_k of equal norm, and takes the place of the coupling of each two modalities. It is a convex
    quadratic minus a convex function; with that one linearised where Z stands (CCCP) the next Z is
    (alpha U + gamma T + beta sum_k softmax_k(kappa/D <p_k, Z>) p_k) / (alpha + gamma + beta), and going rho times as
    far, 0 < rho < 2, lowers the quadratic above e that touches it at Z: so e never rises.
    """

    law: Law
    present: Bool[Tensor, "b m"]
    told: bool
    steps: float
    rho: float
    step: Sequence[int]
    frame: Frame
    tau: Tensor
    prototypes: Float[Tensor, "k d"]
    sharpness: Tensor

    @cached_property
    def weights(self) -> Prepared:
        """Prototypes normed, strengths side by side."""
        gamma = self.law.gamma if self.told else torch.zeros_like(self.law.gamma)
        strengths = torch.stack((self.law.alpha, gamma, self.law.beta))
        return Prepared(*self.frame, unit(self.prototypes, 1), strengths, self.sharpness, self.tau)

    def field(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """As that of the quadratic energy; the sums are evidence, hierarchy and dependency of each modality at each
        step, not divided by n: (b, k, 3, m)."""
        return by_rows(self._field, maps, self.weights, axis=3 - maps[0].ndim)

    def _field(self, maps: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        w, grid = Prepared(*weights), maps[0].shape[3:]
        streams = where_present(maps[0], self.present).to(w.project.dtype).flatten(3)
        own = unit(w.project @ streams, 2)
        top = told_by(maps[1].flatten(2), w.lift) if len(maps) > 1 else None
        each = self._states(own, top, w)
        parts = [torch.stack(self._parts(z, own, top, w), 1) for z in each]
        z, count = each[-1], self.present.sum(1).view(-1, 1, 1).clamp(min=1)
        energy = parts[-1].sum((1, 2)) / count[:, :, 0]
        alone = _apart(z, own) + _distance(z, w)
        logits = (w.prior.unsqueeze(1) @ own).squeeze(2) + w.bias.unsqueeze(1) - alone / w.tau
        share = torch.softmax(torch.where(self.present.unsqueeze(2), logits, float("-inf")), 1)
        fused = (share.unsqueeze(2) * z).sum(1)
        change = w.out @ fused
        found = [share.view(*share.shape[:2], *grid), energy.view(-1, *grid), change.view(*change.shape[:2], *grid)]
        return [*found, halved(fused, grid, self.step)], torch.stack([p.detach().sum(3) for p in parts], 1)

    def account(self, means: Float[Tensor, "b k 3 m"]) -> Float[Tensor, "b k 3"]:
        """Evidence, hierarchy and dependency of E at each step."""
        return means.sum(3) / self.present.sum(1).view(-1, 1, 1).clamp(min=1)

    def without_each(self, means: Float[Tensor, "b k 3 m"]) -> Float[Tensor, "b m"]:
        """The last step's E of a level without one modality, for each; T as it is, 0 where nothing would be left."""
        each = means[:, -1].sum(1)
        others = self.present.sum(1, keepdim=True) - self.present.to(each.dtype)
        return (each.sum(1, keepdim=True) - each) / others.clamp(min=1)

    def vectors(self, streams: Tensor, finer: Tensor | None) -> Float[Tensor, "b m d v"]:
        """Z itself, at a few points: streams (b, m, c, v), what the finer level handed on (b, D, v)."""
        own = unit(self.weights.project @ where_present(streams, self.present).to(self.weights.project.dtype), 2)
        top = None if finer is None else told_by(finer, self.weights.lift)
        return self._states(own, top, self.weights)[-1]

    def _states(self, own: Tensor, top: Tensor | None, w: Prepared) -> list[Tensor]:
        alpha, gamma, beta = w.strengths.unbind()
        pull = alpha * own if top is None else alpha * own + gamma * top.unsqueeze(1)
        found = [own]
        for _ in range(int(self.steps)):
            recalled = w.prototypes.mT @ torch.softmax(w.sharpness / own.shape[2] * (w.prototypes @ found[-1]), 2)
            target = (pull + beta * recalled) / (alpha + gamma + beta)
            found.append(found[-1] + self.rho * (target - found[-1]))
        return found

    def _parts(self, z: Tensor, own: Tensor, top: Tensor | None, w: Prepared) -> list[Float[Tensor, "b m v"]]:
        alpha, gamma, beta = w.strengths.unbind()
        from_top = torch.zeros_like(z[:, :, 0]) if top is None else gamma * _apart(z, top.unsqueeze(1))
        parts = (alpha * _apart(z, own), from_top, beta * _distance(z, w))
        return [torch.where(self.present.unsqueeze(2), part, 0.0) for part in parts]


def _apart(a: Tensor, b: Tensor) -> Float[Tensor, "b m v"]:
    return (a - b).square().mean(2) / 2


def _distance(z: Float[Tensor, "b m d v"], w: Prepared) -> Float[Tensor, "b m v"]:
    """q(Z), the soft distance to the prototypes."""
    width = z.shape[2]
    squares = z.square().sum(2, keepdim=True) + w.prototypes.square().sum(1).view(-1, 1) - 2 * (w.prototypes @ z)
    soft = torch.logsumexp(-w.sharpness / (2 * width) * squares, 2) - torch.log(z.new_tensor(len(w.prototypes)))
    return -soft / w.sharpness
