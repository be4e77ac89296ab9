"""What an energy does at every point of a grid, a stretch of it at a time: inner products, and the sum that joins.

Both are written with their way back by hand: there they are made anew from the streams, which live on anyway, instead
of being kept, and no point is passed over more often than it must be.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from mrfusion.fusions._space import at_once, halved, is_exporting, unhalved


def products(
    streams: Float[Tensor, "b m k v"],
    metric: Float[Tensor, "m m k k"] | None,
    prior: Float[Tensor, "m k"],
    top: tuple[Float[Tensor, "m k d"], Float[Tensor, "b d v"]] | None,
) -> Float[Tensor, "b q v"]:
    """x_i' A_ij x_j for i <= j, j ascending (A the identity where there is none), prior_m . x_m, and x_m' B_m T."""
    given = (streams, metric, prior, *(top or (None, None)))
    if is_exporting():  # a way back that is written by hand cannot be exported, and is not needed there
        return _multiplied(*given)
    return _Products.apply(*given)  # type: ignore[no-untyped-call, no-any-return]


def joined(
    streams: Float[Tensor, "b m k *xyz"],
    amounts: Float[Tensor, "b m v"],
    change: Float[Tensor, "c n"],
    span: Float[Tensor, "d n"] | None,
    step: Sequence[int],
) -> tuple[Float[Tensor, "b c v"], Float[Tensor, "b d *half"]]:
    """``change`` of the streams times their amounts side by side (n = m k), and ``span`` of the same on the grid that
    is half as fine along the axes whose ``step`` is 2.

    Without a span the streams are of the same space: they are summed up first (n = k), and halved as they are.
    """
    given = (streams, amounts, change, span, tuple(step))
    if is_exporting():
        return _summed(*given)
    return _Joined.apply(*given)  # type: ignore[no-untyped-call, no-any-return]


def stretches(device: torch.device, batch: int, points: int, row: int = 1) -> list[slice]:
    """Cuts of a grid's flat points, each an even number of rows long; all in one for export, which knows no number."""
    if is_exporting():
        return [slice(0, points)]
    most = at_once(device) // batch
    step = max(2, most // row // 2 * 2) * row
    return [slice(start, min(points, start + step)) for start in range(0, points, step)]


def times(matrix: Float[Tensor, "n k"], values: Float[Tensor, "b k v"]) -> Float[Tensor, "b n v"]:
    """A matrix of weights times every point; the library's own broadcasting would copy the values first."""
    return torch.bmm(matrix.expand(len(values), -1, -1), values)


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, metric: Tensor | None, prior: Tensor, low: Tensor | None, top: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, metric, prior, low, top)
        return _multiplied(x, metric, prior, low, top)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, metric, prior, low, top = ctx.saved_tensors
        batch, count, width, points = x.shape
        back, back_prior = torch.empty_like(x), torch.zeros_like(prior)
        back_metric, back_low = (None if w is None else torch.zeros_like(w) for w in (metric, low))
        back_top = None if top is None else torch.empty_like(top)
        rows = None if metric is None else metric.transpose(1, 2).flatten(2)  # (m, k, m k)
        for span in stretches(x.device, batch, points):
            here, g = x[..., span], gradient[..., span]
            pair, of_prior, of_top = torch.split(
                g, [count * (count + 1) // 2, count, g.shape[1] - count * (count + 3) // 2], 1
            )
            crossed = torch.bmm(here.flatten(0, 1), of_prior.reshape(batch * count, -1, 1))
            back_prior += crossed.view(batch, count, width).sum(0)
            to = torch.mul(prior.unsqueeze(2), of_prior.unsqueeze(2), out=back[..., span])
            for i in range(count):
                scaled = here * pair[:, _row(i, count)].mul(_twice(i, count, g)).unsqueeze(2)
                if rows is None or back_metric is None:
                    to[:, i] += scaled.sum(1)
                else:
                    to[:, i].baddbmm_(rows[i].expand(batch, -1, -1), scaled.flatten(1, 2))
                    crossed = torch.bmm(here[:, i], scaled[:, i:].flatten(1, 2).mT).sum(0)
                    back_metric[i, i:] += crossed.view(width, count - i, width).transpose(0, 1)
            if top is not None and low is not None and back_top is not None and back_low is not None:
                to += _lowered(low, top[..., span], width) * of_top.unsqueeze(2)
                scaled = (here * of_top.unsqueeze(2)).flatten(1, 2)
                back_top[..., span] = times(low.flatten(0, 1).mT, scaled)
                back_low += torch.bmm(scaled, top[..., span].mT).sum(0).view_as(low)
        if back_metric is not None:
            back_metric.diagonal().mul_(0.5)
        return back, back_metric, back_prior, back_low, back_top


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, amounts: Tensor, change: Tensor, span: Tensor | None, step: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, amounts, change, span)
        ctx.step = step
        ctx.set_materialize_grads(False)
        return _summed(x, amounts, change, span, step)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_change: Tensor | None, of_half: Tensor | None) -> tuple[Tensor | None, ...]:
        x, amounts, change, span = ctx.saved_tensors
        flat, grid, row = x.flatten(3), x.shape[3:], math.prod(x.shape[4:])
        back, back_amounts = torch.empty_like(flat), torch.empty_like(amounts)
        back_change, back_span = torch.zeros_like(change), None if span is None else torch.zeros_like(span)
        done = 0
        for cut in stretches(x.device, len(x), flat.shape[3], row):
            here, share, part = flat[..., cut], amounts[:, :, None, cut], _rows(cut, row, grid)
            mixed = _mixed(here, share, span)
            to = torch.zeros_like(mixed) if of_change is None else times(change.mT, of_change[..., cut])
            if of_change is not None:
                back_change += torch.bmm(of_change[..., cut], mixed.mT).sum(0)
            if of_half is not None:
                g = of_half.narrow(2, done, -(-part[0] // ctx.step[0]))
                done += g.shape[2]
                if span is not None and back_span is not None:
                    coarse = halved(mixed, part, ctx.step)
                    back_span += torch.bmm(g.flatten(2), coarse.flatten(2).mT).sum(0)
                    g = times(span.mT, g.flatten(2)).view_as(coarse)
                to += unhalved(g, part, ctx.step)
            to = to.unsqueeze(1) if span is None else to.view_as(here)
            back_amounts[..., cut] = (here * to).sum(2)
            torch.mul(to, share, out=back[..., cut])
        return back.view_as(x), back_amounts, back_change, back_span, None


def _multiplied(
    x: Tensor, metric: Tensor | None, prior: Tensor, low: Tensor | None, top: Tensor | None
) -> Float[Tensor, "b q v"]:
    batch, count, width, points = x.shape
    found = x.new_empty(batch, count * (count + 1) // 2 + count * (1 if top is None else 2), points)
    row = prior.unsqueeze(1).repeat(batch, 1, 1)  # (b m, 1, k)
    for span in stretches(x.device, batch, points):
        here, place = x[..., span], 0
        for j in range(count):
            right = here[:, j : j + 1] if metric is None else _lowered(metric[: j + 1, j], here[:, j], width)
            found[:, place : place + j + 1, span] = (here[:, : j + 1] * right).sum(2)
            place += j + 1
        found[:, place : place + count, span] = torch.bmm(row, here.flatten(0, 1)).view(batch, count, -1)
        if top is not None and low is not None:
            found[:, place + count :, span] = (here * _lowered(low, top[..., span], width)).sum(2)
    return found


def _summed(
    x: Tensor, amounts: Tensor, change: Tensor, span: Tensor | None, step: tuple[int, ...]
) -> tuple[Float[Tensor, "b c v"], Float[Tensor, "b d *half"]]:
    flat, grid, row = x.flatten(3), x.shape[3:], math.prod(x.shape[4:])
    found, half = x.new_empty(len(x), len(change), flat.shape[3]), []
    for cut in stretches(x.device, len(x), flat.shape[3], row):
        mixed = _mixed(flat[..., cut], amounts[:, :, None, cut], span)
        found[..., cut] = times(change, mixed)
        coarse = halved(mixed, _rows(cut, row, grid), step)
        half.append(coarse if span is None else times(span, coarse.flatten(2)).view(len(x), -1, *coarse.shape[2:]))
    return found, torch.cat(half, 2)


def _mixed(here: Tensor, share: Tensor, span: Tensor | None) -> Float[Tensor, "b n v"]:
    each = here * share
    return each.sum(1) if span is None else each.flatten(1, 2)


def _rows(cut: slice, row: int, grid: torch.Size) -> torch.Size:
    """The grid of a stretch."""
    return torch.Size(((cut.stop - cut.start) // row, *grid[1:]))


def _lowered(matrices: Float[Tensor, "n k j"], values: Float[Tensor, "b j v"], width: int) -> Float[Tensor, "b n k v"]:
    return times(matrices.flatten(0, 1), values).view(len(values), -1, width, values.shape[2])


def _row(i: int, count: int) -> list[int]:
    """Where the pairs of modality i with each j stand."""
    return [max(i, j) * (max(i, j) + 1) // 2 + min(i, j) for j in range(count)]


def _twice(i: int, count: int, like: Tensor) -> Float[Tensor, "m 1"]:
    """x_i' A_ii x_i has x_i twice."""
    factors = torch.ones(count, 1, dtype=like.dtype, device=like.device)
    factors[i] = 2
    return factors
