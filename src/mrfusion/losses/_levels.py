"""What losses read of fusions that have an energy: their levels, and the mean energy of each class in each case."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mrfusion.errors import SpecError
from mrfusion.losses._base import Itemised, Output


def levels_of(output: Output, loss: str, *, needed: bool) -> dict[int, dict[str, Tensor]]:
    """The states of the levels that have an energy; SpecError where there is none and one is ``needed``."""
    found = {level: state for level, state in enumerate(output.states) if "energy" in state}
    if needed and not found:
        raise SpecError(
            f"loss {loss} reads fusions that have an energy; this plan has none. Write one, such as separate[energy], "
            f"or {loss}(needed=false) where a search places them"
        )
    return found


def no_level(output: Output) -> Itemised:
    """The loss of a network without energies: 0, whatever the network is."""
    return Itemised(output.logits.new_zeros((), dtype=torch.float32), {})


def class_masks(target: Tensor, classes: int, *, exclusive: bool) -> Tensor:
    """Which voxels are of which class, as 0 and 1: (b, C, *xyz), or (b, C) where a class is a whole case's.

    Exclusive labels have background first; of overlapping regions, background, first too, is what is in none.
    """
    if exclusive:
        return functional.one_hot(target, classes).movedim(-1, 1).float()
    return torch.cat((1 - target.amax(1, keepdim=True), target), 1)


def class_energies(
    energy: Float[Tensor, "b *xyz"], masks: Tensor, scale: Sequence[int]
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """The mean energy over the voxels of each class, and how many there are; 0 and 0 where there is none.

    A coarse voxel counts for a class by the share of the ``scale`` finer ones, along each axis, that are of it; padding
    counts for none.
    """
    if masks.ndim == 2:
        each = energy.flatten(1).mean(1, keepdim=True)
        return each * masks, masks
    shares = _coarser(masks, energy.shape[1:], tuple(scale))
    count = shares.flatten(2).sum(2)
    return (shares * energy.unsqueeze(1)).flatten(2).sum(2) / count.clamp(min=1e-6), count


def _coarser(masks: Tensor, grid: torch.Size, scale: tuple[int, ...]) -> Tensor:
    whole = [n * factor for n, factor in zip(grid, scale, strict=True)]
    lacking = [n - here for n, here in zip(reversed(whole), reversed(masks.shape[2:]), strict=True)]
    padded = functional.pad(masks, [p for n in lacking for p in (0, n)]) if any(lacking) else masks
    pool = functional.avg_pool2d if len(grid) == 2 else functional.avg_pool3d
    return padded if max(scale) == 1 else pool(padded, scale)
