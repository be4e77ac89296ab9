"""The shared space of an energy: what leads into it, out of it, and from one level to the next."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-6  # of RMSNorm
POINTS = {"cpu": 8192}  # of a grid that are worked on at once: what they make fits a cache
POINTS_ELSEWHERE = 2**20


class Frame(NamedTuple):
    """``project`` (m, D, c) = P; ``prior`` (m, D) and ``bias`` (m,) of the log-prior; ``out`` (c, D) = O Q';
    ``lift`` (D, D) = R."""

    project: Tensor
    prior: Tensor
    bias: Tensor
    out: Tensor
    lift: Tensor


def unit(values: Tensor, axis: int) -> Tensor:
    """RMSNorm without affine."""
    return values * torch.rsqrt(values.square().mean(axis, keepdim=True) + EPSILON)


def told_by(finer: Float[Tensor, "b d v"], lift: Float[Tensor, "d d"]) -> Float[Tensor, "b d v"]:
    """T = RMSNorm(R Down(F)) from the finer level's Down(F)."""
    return unit(torch.bmm(lift.expand(len(finer), -1, -1), finer.to(lift.dtype)), 1)


def halved(values: Float[Tensor, "b d v"], grid: torch.Size, step: Sequence[int]) -> Float[Tensor, "b d *xyz"]:
    """Means over cells of two points along each axis of the grid that v stands for whose ``step`` is 2; a last cell may
    be cut off.

    Axis by axis, which is three times as fast on a CPU as a pooling of all axes at once.
    """
    found = values.view(*values.shape[:2], *grid)
    for axis in _coarsened(step):
        even, odd = (found[(slice(None),) * axis + (slice(first, None, 2),)] for first in (0, 1))
        both = odd.shape[axis]
        mean = (even.narrow(axis, 0, both) + odd) * 0.5
        found = mean if both == even.shape[axis] else torch.cat((mean, even.narrow(axis, both, 1)), axis)
    return found


def onto(values: Float[Tensor, "b d *xyz"], grid: torch.Size) -> Float[Tensor, "b d *grid"]:
    """Means of ``values`` over the cells of a grid that is coarser, or as they are where it is theirs."""
    if values.shape[2:] == grid:
        return values
    pool = functional.adaptive_avg_pool2d if len(grid) == 2 else functional.adaptive_avg_pool3d
    return pool(values, tuple(grid))  # type: ignore[arg-type]


def spread(grid: torch.Size, most: int) -> tuple[Tensor, ...]:
    """Indices of up to ``most`` points of a grid, spread without a period; the same every time."""
    count = grid.numel()
    steps = torch.arange(min(most, count), dtype=torch.float64)
    flat = (steps * 0.6180339887498949 % 1 * count).long() if count > most else steps.long()
    return torch.unravel_index(flat, grid)


def few_of(values: Tensor, points: tuple[Tensor, ...]) -> Float[Tensor, "*b v"]:
    """The values (b, .., *xyz) at points of their grid."""
    return values[(..., *points)]  # type: ignore[index]


def unhalved(values: Float[Tensor, "b d *xyz"], grid: torch.Size, step: Sequence[int]) -> Float[Tensor, "b d v"]:
    """The way back of :func:`halved`: each point gets its part of its cell's gradient."""
    found = values
    for axis in reversed(_coarsened(step)):
        extent = grid[axis - 2]
        twice = found.new_empty(*found.shape[:axis], extent, *found.shape[axis + 1 :])
        for first in (0, 1):
            part = twice[(slice(None),) * axis + (slice(first, None, 2),)]
            part.copy_(found.narrow(axis, 0, part.shape[axis]))
        if extent % 2:
            twice.narrow(axis, extent - 1, 1).mul_(2)
        found = twice
    return found.flatten(2) if found is values else found.flatten(2).mul_(0.5 ** len(_coarsened(step)))


def _coarsened(step: Sequence[int]) -> list[int]:
    """The axes, of (b, d, *xyz), along which two points become one."""
    return [2 + axis for axis, extent in enumerate(step) if extent == 2]


def everything(present: Tensor) -> bool:
    """Whether nothing is absent, asked only where the answer need not be waited for: on a CPU; and never where the
    network is being written down for export, which would write the answer of one example down."""
    return present.device.type == "cpu" and not is_exporting() and bool(present.all())


def is_exporting() -> bool:
    """Whether torch is writing down what is computed, for use with other values and on other grids."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def at_once(device: torch.device) -> int:
    """How many points of a grid, those of a whole batch, are worked on at once."""
    return POINTS.get(device.type, POINTS_ELSEWHERE)
