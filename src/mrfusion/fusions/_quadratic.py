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

    Where streams have fewer channels c than the space they are worked on as they are: ``prior`` (m, c); ``metric``
    (m, m, c, c), P_i' P_j / D; ``change`` (c, m c), O Q' P; ``span`` (D, m c), P; ``lower`` (m, c, D), P' / D. Else
    X / sqrt D of the nodes before their norm are, with ``change`` (c, D) and no metric, span or lower.
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
    span: Tensor | None
    lower: Tensor | None


@dataclass(frozen=True)
class Quadratic:
    """The energy of method 3.1 for one batch; ``told`` says whether there is a T."""

    law: Law
    present: Bool[Tensor, "b m"]
    told: bool
    steps: float
    rho: float
    step: Sequence[int]
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
        project, (_, width, channels) = frame.project, frame.project.shape
        if channels >= width:
            prior = torch.cat((frame.prior, frame.prior[:1] * 0)) if self.told else frame.prior
            root = width**0.5
            return Prepared(*frame._replace(prior=prior * root), state, costs, None, frame.out * root, None, None)
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
        """Outcomes on the grid of ``maps``: streams (b, m, c, *xyz) and perhaps what the finer level handed on.

        The weights pi (b, m, *xyz), e (b, *xyz), O Q' F (b, c, *xyz) and F on the next level's grid
        (b, D, *xyz / step); and the sums over the grid of each pair's |X_i - X_j|^2 / 2D (b, q).
        """
        clean, top = maps[0].to(self.frame.project.dtype), None
        if not everything(self.present):
            clean = where_present(clean, self.present)
        if len(maps) > 1:
            top = told_by(maps[1].flatten(2), self.frame.lift)
        share, level, change, half, sums = (self._inside if self.weights.metric is None else self._outside)(clean, top)
        grid = maps[0].shape[3:]
        return [
            share.view(*share.shape[:2], *grid),
            level.view(-1, *grid),
            change.view(*change.shape[:2], *grid),
            half,
        ], sums

    def _outside(self, streams: Tensor, top: Tensor | None) -> tuple[Tensor, ...]:
        """From streams of fewer channels than the space has; T (b, D, v)."""
        w, count, grid = self.weights, streams.shape[1], streams.shape[3:]
        lower = None if top is None or w.lower is None else (w.lower, top)
        found = products(streams.flatten(3), w.metric, w.prior, lower)
        pair, prior, with_top = torch.split(found, [count * (count + 1) // 2, count, 0 if top is None else count], 1)
        packed = pair if top is None else torch.cat((pair, with_top, top.square().mean(1, keepdim=True)), 1)
        amounts, share, level, sums = self._weighed(packed, prior)
        change, half = joined(streams, amounts[:, :count], w.change, w.span, self.step)
        if top is not None:
            from_top = amounts[:, -1:] * top
            change, half = change + times(w.out, from_top), half + halved(from_top, grid, self.step)
        return share, level, change, half, sums

    def _inside(self, streams: Tensor, top: Tensor | None) -> tuple[Tensor, ...]:
        """In the space, where T is one more node."""
        w, count, root = self.weights, streams.shape[1], self.frame.project.shape[1] ** 0.5
        nodes = torch.bmm((w.project / root).repeat(len(streams), 1, 1), streams.flatten(3).flatten(0, 1))
        nodes = nodes.view(len(streams), count, *nodes.shape[1:])
        nodes = nodes if top is None else torch.cat((nodes, top.unsqueeze(1) / root), 1)
        number = nodes.shape[1]
        packed, prior = torch.split(products(nodes, None, w.prior, None), [number * (number + 1) // 2, number], 1)
        amounts, share, level, sums = self._weighed(packed, prior[:, :count])
        change, half = joined(nodes.view(*nodes.shape[:3], *streams.shape[3:]), amounts, w.change, None, self.step)
        return share, level, change, half * root, sums

    def _weighed(self, packed: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What of each node joins at each point (before its norm), pi, e, and the distances' sums."""
        w, present = self.weights, self.present
        given = (packed, prior, w.bias, w.state, w.costs, present)
        if not torch.is_grad_enabled():  # checkpoint of torch 2.10 cannot be traced
            return _weigh(*given)
        return checkpoint(_weigh, *given, use_reentrant=False, preserve_rng_state=False)  # type: ignore[no-any-return]

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

    def vectors(self, streams: Tensor, finer: Tensor | None) -> Float[Tensor, "b m d v"]:
        """Z itself, at a few points: streams (b, m, c, v), what the finer level handed on (b, D, v)."""
        nodes = unit(self.frame.project @ where_present(streams, self.present).to(self.frame.project.dtype), 2)
        if finer is not None:
            nodes = torch.cat((nodes, told_by(finer, self.frame.lift).unsqueeze(1)), 1)
        return torch.bmm(self.weights.state, nodes.flatten(2)).view(-1, len(self.frame.project), *nodes.shape[2:])

    def _cut(self, costs: Tensor) -> Tensor:
        """Without the pairs of T, the last ones, where there is none."""
        count = self.present.shape[1]
        return costs if self.told else costs[..., : count * (count - 1) // 2]


def _weigh(
    packed: Float[Tensor, "b q v"],
    prior: Float[Tensor, "b m v"],
    bias: Tensor,
    state: Tensor,
    costs: Tensor,
    present: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    distances, scale = _distances(packed, prior.shape[1])
    both = costs @ distances
    logits = prior * scale[:, : prior.shape[1]] + bias.unsqueeze(1) - both[:, :-1]
    share = torch.softmax(torch.where(present.unsqueeze(2), logits, float("-inf")), 1)
    return (state.mT @ share) * scale, share, both[:, -1], distances.detach().sum(2)


def _distances(
    packed: Float[Tensor, "b q v"], modalities: int
) -> tuple[Float[Tensor, "b p v"], Float[Tensor, "b n v"]]:
    """|X_i - X_j|^2 / 2D of the normed nodes, from products before it, and what norms them; a T is normed already."""
    nodes = next(n for n in range(1, 100) if n * (n + 1) // 2 == packed.shape[1])
    squares = packed[:, [j * (j + 3) // 2 for j in range(nodes)]]
    scale = torch.rsqrt(squares[:, :modalities] + EPSILON)
    scale = scale if nodes == modalities else torch.cat((scale, torch.ones_like(scale[:, :1])), 1)
    first, second = pairs(nodes)
    crossed = packed[:, [j * (j + 1) // 2 + i for i, j in zip(first, second, strict=True)]]
    norms = squares * scale.square()
    return (norms[:, first] + norms[:, second]) / 2 - crossed * scale[:, first] * scale[:, second], scale
