"""Patients of one class share one level of energy: variance within classes over variance of all."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mrfusion.errors import SpecError
from mrfusion.losses._base import Itemised, Loss, Output
from mrfusion.losses._levels import class_energies, class_masks, levels_of

DELTA = 1e-8


class Energy(Loss):
    """L_EHF of method 3.1: the mean over levels of within-class variance / (total variance + delta), in [0, 1].

    Its points are the mean energies of the classes in each sample, those of the batch and of the last ``queue``
    samples of the training before it (without gradient), because batches of MRI are small. 0 iff every class sits on
    its own level, 1 iff the classes coincide; unchanged by energy -> p energy + q, so that small energies win nothing.
    While a single class has been seen: the plain variance within it.
    The classes of a segmentation are its labels or regions, and background; a sample of slices is a patient's part.
    The paper has the idea (patients of a category share an energy level); the formula is ours.

    Options:
        queue: how many earlier samples are compared with those of the batch; at least 0
    Example: energy(queue=128)
    """

    judges = False
    one_process = True

    def __init__(self, exclusive: bool, *, queue: int = 64) -> None:
        super().__init__(exclusive)
        if queue < 0:
            raise SpecError(f"loss energy: queue is a number of samples, at least 0, found {queue}")
        self.length = queue
        self.queue: dict[int, Tensor] = {}
        self.seen: dict[int, Tensor] = {}

    def forward(self, output: Output, target: Tensor) -> Itemised:
        levels = levels_of(output, "energy")
        masks = class_masks(target, output.logits.shape[1], exclusive=self.exclusive)
        dimensions = masks.ndim - 2
        found = {
            level: class_energies(state["energy"], masks, output.scale(level, dimensions))
            for level, state in levels.items()
        }
        self.seen = {level: _marked(*each).detach() for level, each in found.items()}
        terms = {f"level{level}": self._spread(level, *each) for level, each in found.items()}
        return Itemised(torch.stack(list(terms.values())).mean(), terms)

    def remember(self) -> None:
        for level, seen in self.seen.items():
            before = self.queue.get(level, seen[:0])
            self.queue[level] = torch.cat((before, seen))[max(0, len(before) + len(seen) - self.length) :]
        self.seen = {}

    def memory(self) -> dict[str, Any]:
        return {str(level): queue for level, queue in self.queue.items()}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.queue = {int(level): queue for level, queue in memory.items()}

    def _spread(self, level: int, means: Float[Tensor, "b c"], count: Float[Tensor, "b c"]) -> Tensor:
        old = self.queue.get(level, means[:0]).to(means.device)
        return within_share(torch.cat((means, old.nan_to_num())), torch.cat((count > 0, ~old.isnan())))


def within_share(values: Float[Tensor, "n c"], there: Tensor) -> Tensor:
    """Variance within classes / (variance + delta), over the values that are ``there``; the former alone where they
    are of one class."""
    weight = there.to(values.dtype)
    each = (values * weight).sum(0) / weight.sum(0).clamp(min=1)
    count = weight.sum().clamp(min=1)
    within = ((values - each).square() * weight).sum() / count
    total = ((values - (values * weight).sum() / count).square() * weight).sum() / count
    several = (weight.sum(0) > 0).sum() > 1
    return torch.where(several, within / (total + DELTA), within)


def _marked(means: Tensor, count: Tensor) -> Tensor:
    return torch.where(count > 0, means, float("nan"))
