"""The quadratic energy over a grid: distances of the nodes at every point, weights, and the fused map from them.

Two ways to the same numbers. Where a stream has fewer channels c than the energy space has dimensions D, that space is
never entered: U_i . U_j = F_i' (P_i' P_j) F_j needs c channels only, and so does O Q' F. Else U = P F is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mrfusion.fusions._base import where_present
from mrfusion.fusions._energy import Law, level_costs, modality_costs, pairs, states
from mrfusion.fusions._grid import joined, products, times
from mrfusion.fusions._space import EPSILON, Frame, everything, halved, told_by, unit


class Prepared(NamedTuple):
    """What a grid point is worked on with: a frame's tensors, ``state`` (b, m, n) of the last step, ``costs``
    (b, m + 1, q) of each pair's distance (e_m / tau, then e).

    With k channels a stream, those of the streams or, where these are more, of P F / sqrt D: ``prior`` (m, k);
    ``metric`` (m, m, k, k), P_i' P_j / D or none; ``change`` (c, m k), O Q' P; ``span`` (D, m k), P; ``lower``
    (m, k, D), P' / D.
    """

    project: Tensor
    prior: Tensor
    bias: Tensor
    out: Tensor
    lift: Tensor
    state: Tensor
    costs: Tensor
    metric: Tensor | None
    change: Tensor
    span: Tensor
    lower: Tensor


@dataclass(frozen=True)
class Quadratic:
    """The energy of method 3.1 for one batch; ``told`` says whether there is a T."""

    law: Law
    present: Bool[Tensor, "b m"]
    told: bool
    steps: float
    rho: float
    frame: Frame
    tau: Tensor

    @cached_property
    def weights(self) -> Prepared:
        """Products of weights with weights, once a forward pass."""
        frame = self.frame
        law = self.law.among(self.present, told=self.told)
        state = states(law, self.steps, self.rho)[-1]
        level = level_costs(law, state).sum(1, keepdim=True)
        costs = self._cut(torch.cat((modality_costs(law, state) / self.tau, level), 1))
        state = state if self.told else state[..., :-1]
        project, (count, width, channels) = frame.project, frame.project.shape
        if channels >= width:
            one, root = torch.eye(width).to(project), width**0.5
            prior, lower = frame.prior * root, (one / root).expand(count, -1, -1)
            return Prepared(
                *frame._replace(prior=prior),
                state,
                costs,
                None,
                root * frame.out.repeat(1, count),
                root * one.repeat(1, count),
                lower,
            )
        return Prepared(
            *frame._replace(prior=torch.einsum("md,mdc->mc", frame.prior, project)),
            state,
            costs,
            torch.einsum("idc,jde->ijce", project, project) / width,
            torch.einsum("od,mdc->omc", frame.out, project).flatten(1),
            project.transpose(0, 1).flatten(1),
            project.mT / width,
        )

    def field(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Outcomes on the grid of ``maps``: streams (b, m, c, *xyz) and perhaps what the level below handed on.

        The weights pi (b, m, *xyz), e (b, *xyz), O Q' F (b, c, *xyz) and F on half the grid (b, D, *xyz / 2); and
        the sums over the grid of each pair's |X_i - X_j|^2 / 2D (b, q).
        """
        w, grid = self.weights, maps[0].shape[3:]
        streams = self._entered(maps[0], w)
        top = told_by(maps[1].flatten(2), w.lift) if len(maps) > 1 else None
        inner = products(streams.flatten(3), w.metric, w.prior, None if top is None else (w.lower, top))
        own = None if top is None else top.square().mean(1, keepdim=True)
        amounts, share, level, sums = checkpoint(
            self._weighed, inner, own, w.bias, w.state, w.costs, use_reentrant=False, preserve_rng_state=False
        )
        change, half = joined(streams, amounts[:, : streams.shape[1]], w.change, w.span)
        if top is not None:
            from_top = amounts[:, -1:] * top
            change, half = change + times(w.out, from_top), half + halved(from_top, grid)
        return [
            share.view(*share.shape[:2], *grid),
            level.view(-1, *grid),
            change.view(*change.shape[:2], *grid),
            half,
        ], sums

    def _entered(self, streams: Tensor, w: Prepared) -> Float[Tensor, "b m k *xyz"]:
        """The present streams; in the energy space, before its norm, where they have more channels than it."""
        clean = streams.to(w.project.dtype)
        if not everything(self.present):
            clean = where_present(clean, self.present)
        if w.metric is not None:
            return clean
        flat = clean.flatten(3).flatten(0, 1)
        lifted = torch.bmm((w.project / w.project.shape[1] ** 0.5).repeat(len(clean), 1, 1), flat)
        return lifted.view(*clean.shape[:2], -1, *clean.shape[3:])

    def _weighed(
        self, inner: Tensor, own: Tensor | None, bias: Tensor, state: Tensor, costs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What of each node joins at each point (not yet normed), pi, e, and the distances' sums, from products."""
        count = self.present.shape[1]
        pair, prior, with_top = torch.split(
            inner, [count * (count + 1) // 2, count, inner.shape[1] - count * (count + 3) // 2], 1
        )
        packed = pair if own is None else torch.cat((pair, with_top, own), 1)
        distances, scale = _distances(packed, count)
        both = costs @ distances
        logits = prior * scale + bias.unsqueeze(1) - both[:, :-1]
        share = torch.softmax(torch.where(self.present.unsqueeze(2), logits, float("-inf")), 1)
        amounts = state.mT @ share
        normed = amounts[:, :count] * scale
        amounts = normed if own is None else torch.cat((normed, amounts[:, count:]), 1)
        return amounts, share, both[:, -1], distances.detach().sum(2)

    def account(self, means: Float[Tensor, "b q"]) -> Float[Tensor, "b k 3"]:
        """Evidence, hierarchy and dependency of E at each step, from the mean distances of a grid."""
        law = self.law.among(self.present, told=self.told)
        costs = [self._cut(level_costs(law, state)) for state in states(law, self.steps, self.rho)]
        return torch.einsum("kbpq,bq->bkp", torch.stack(costs), means)

    def without_each(self, means: Float[Tensor, "b q"]) -> Float[Tensor, "b m"]:
        """The last step's E of a level without one modality, for each; T as it is, 0 where nothing would be left."""
        count = self.present.shape[1]
        fewer = self.present.unsqueeze(1) & ~torch.eye(count, dtype=torch.bool, device=means.device)
        law = self.law.among(fewer.flatten(0, 1), told=self.told)
        costs = self._cut(level_costs(law, states(law, self.steps, self.rho)[-1]).sum(1))
        costs = costs.view(len(means), count, means.shape[1])
        return torch.einsum("bmq,bq->bm", costs, means)

    def vectors(self, streams: Tensor, below: Tensor | None) -> Float[Tensor, "b m d v"]:
        """Z itself, at a few points: streams (b, m, c, v), what the level below handed on (b, D, v)."""
        nodes = unit(self.frame.project @ where_present(streams, self.present).to(self.frame.project.dtype), 2)
        if below is not None:
            nodes = torch.cat((nodes, told_by(below, self.frame.lift).unsqueeze(1)), 1)
        return torch.bmm(self.weights.state, nodes.flatten(2)).view(-1, len(self.frame.project), *nodes.shape[2:])

    def _cut(self, costs: Tensor) -> Tensor:
        """Without the pairs of T, the last ones, where there is none."""
        count = self.present.shape[1]
        return costs if self.told else costs[..., : count * (count - 1) // 2]


def _distances(products: Tensor, modalities: int) -> tuple[Float[Tensor, "b q v"], Float[Tensor, "b m v"]]:
    """|X_i - X_j|^2 / 2D of the normed nodes, and 1 / RMS of the modalities."""
    nodes = next(n for n in range(1, 100) if n * (n + 1) // 2 == products.shape[1])
    squares = products[:, [j * (j + 3) // 2 for j in range(nodes)]]
    scale = torch.rsqrt(squares[:, :modalities] + EPSILON)
    first, second = pairs(nodes)
    crossed = products[:, [j * (j + 1) // 2 + i for i, j in zip(first, second, strict=True)]]
    every = scale if nodes == modalities else torch.cat((scale, torch.ones_like(scale[:, :1])), 1)
    norms = squares * every.square()
    return (norms[:, first] + norms[:, second]) / 2 - crossed * every[:, first] * every[:, second], scale
