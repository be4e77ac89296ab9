"""Work on a few rows of a grid at a time, done anew on the way back, so that what it makes on the way is never kept."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mrfusion.fusions._space import at_once, is_exporting

Work = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[list[Tensor], Tensor]]


def by_rows(work: Work, maps: Sequence[Tensor], weights: Sequence[Tensor], axis: int) -> tuple[list[Tensor], Tensor]:
    """``work(maps, weights)`` over stretches of the grid, whose first axis is ``axis``, counted from behind.

    ``work`` gives outcomes (b, .., *xyz), or of half the grid, that depend on their own rows alone, taken two by two;
    and one tensor of sums over the grid that carries no gradient. A grid that is no larger is worked on at once, by
    plain autograd; of a larger one only ``maps`` and ``weights`` are kept for the way back.
    """
    if is_exporting():  # of a grid whose size is not known yet
        return work(maps, weights)
    rows = maps[0].shape[axis]
    a_row = maps[0].shape[0] * maps[0].shape[axis:][1:].numel()
    step = max(2, at_once(maps[0].device) // a_row // 2 * 2)
    if step >= rows:
        return work(maps, weights)
    *outcomes, sums = _ByRows.apply(work, (axis, step, len(maps)), *maps, *weights)  # type: ignore[no-untyped-call]
    return outcomes, sums


class _ByRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, work: Work, how: tuple[int, int, int], *tensors: Tensor) -> tuple[Tensor, ...]:
        axis, step, count = ctx.how = how
        maps, weights = tensors[:count], tensors[count:]
        found, total = [], torch.zeros((), device=maps[0].device)
        for start in range(0, maps[0].shape[axis], step):
            outcomes, sums = work([_cut(m, how, start) for m in maps], weights)
            found.append(outcomes)
            total = total + sums
        ctx.save_for_backward(*tensors)
        ctx.work = work
        ctx.sizes = [[part.shape[axis] for part in outcome] for outcome in zip(*found, strict=True)]
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(total)
        return (*(torch.cat(outcome, axis) for outcome in zip(*found, strict=True)), total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        axis, step, count = ctx.how
        maps, given = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        weights = [w.detach().requires_grad_() for w in given]
        back = [torch.empty_like(m) for m in maps]
        asked = [i for i, g in enumerate(gradients[:-1]) if g is not None]
        parts = {i: torch.split(gradients[i], ctx.sizes[i], axis) for i in asked}  # type: ignore[arg-type]
        for number, start in enumerate(range(0, maps[0].shape[axis], step)):
            here = [_cut(m, ctx.how, start).detach().requires_grad_() for m in maps]
            with torch.enable_grad():
                outcomes, _ = ctx.work(here, weights)
            torch.autograd.backward([outcomes[i] for i in asked], [parts[i][number] for i in asked])
            for whole, part in zip(back, here, strict=True):
                _cut(whole, ctx.how, start).copy_(torch.zeros_like(part) if part.grad is None else part.grad)
        return None, None, *back, *(w.grad for w in weights)


def _cut(values: Tensor, how: tuple[int, int, int], start: int) -> Tensor:
    axis, step, _ = how
    return values.narrow(axis, start, min(step, values.shape[axis] - start))
