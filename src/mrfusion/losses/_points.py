"""The points whose spread the cohort loss lowers: energies of tissue classes in samples, or of whole patients."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mrfusion.losses._base import Output, Samples
from mrfusion.losses._levels import class_energies, class_masks

DELTA = 1e-8
States = Mapping[int, Mapping[str, Tensor]]


class Points(ABC):
    """Points of a batch with their gradient, beside the last ``length`` of the training before it without; the latter
    are ``queue``, one a level, and become longer only when a step of the training is told."""

    reads_samples = False

    def __init__(self, exclusive: bool, length: int) -> None:
        self.exclusive, self.length = exclusive, length
        self.queue: dict[int, Tensor] = {}

    @abstractmethod
    def shares(self, states: States, output: Output, target: Tensor, samples: Samples | None) -> dict[int, Tensor]:
        """Of each level the variance within classes or categories, as a share of all (:func:`within_share`)."""

    @abstractmethod
    def remember(self) -> None:
        """Keep what was seen last."""

    def memory(self) -> dict[str, Any]:
        """The queue, as a checkpoint keeps it."""
        return {str(level): queue for level, queue in self.queue.items()}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take a memory back."""
        self.queue = {int(level): queue for level, queue in memory.items()}


class ClassPoints(Points):
    """One point for each class of each sample: the mean energy of the voxels of the class, NaN where it has none."""

    def __init__(self, exclusive: bool, length: int) -> None:
        super().__init__(exclusive, length)
        self.seen: dict[int, Tensor] = {}

    def shares(self, states: States, output: Output, target: Tensor, samples: Samples | None) -> dict[int, Tensor]:
        del samples
        masks = class_masks(target, output.logits.shape[1], exclusive=self.exclusive)
        dimensions = masks.ndim - 2
        found = {
            level: class_energies(state["energy"], masks, output.scale(level, dimensions))
            for level, state in states.items()
        }
        self.seen = {level: _marked(*each).detach() for level, each in found.items()}
        return {level: self._spread(level, *each) for level, each in found.items()}

    def remember(self) -> None:
        for level, seen in self.seen.items():
            before = self.queue.get(level, seen[:0])
            self.queue[level] = torch.cat((before, seen))[max(0, len(before) + len(seen) - self.length) :]
        self.seen = {}

    def _spread(self, level: int, means: Float[Tensor, "b c"], count: Float[Tensor, "b c"]) -> Tensor:
        old = self.queue.get(level, means[:0]).to(means.device)
        return within_share(torch.cat((means, old.nan_to_num())), torch.cat((count > 0, ~old.isnan())))


class PatientPoints(Points):
    """One point for each case: the mean energy of all voxels of its samples in the batch, or of those seen last.

    A queue has (n, 2), energies and categories; ``names`` are its cases. A case stands in it once, at its last place.
    """

    reads_samples = True

    def __init__(self, exclusive: bool, length: int) -> None:
        super().__init__(exclusive, length)
        self.names: list[str] = []
        self.seen: tuple[list[str], dict[int, Tensor]] = [], {}

    def shares(self, states: States, output: Output, target: Tensor, samples: Samples | None) -> dict[int, Tensor]:
        assert samples is not None, "the objective tells a loss that reads samples of them"
        names = list(dict.fromkeys(samples.ids))
        of = torch.tensor([names.index(name) for name in samples.ids], device=samples.categories.device)
        grid = target.shape[1:] if self.exclusive else target.shape[2:]
        everywhere = torch.ones(len(target), 1, *grid, device=target.device)
        categories = samples.categories[[samples.ids.index(name) for name in names]]
        seen, shares = dict[int, Tensor](), dict[int, Tensor]()
        for level, state in states.items():
            each, _ = class_energies(state["energy"], everywhere, output.scale(level, len(grid)))
            counts = each.new_zeros(len(names)).index_add(0, of, torch.ones_like(each[:, 0]))
            means = torch.zeros_like(counts).index_add(0, of, each[:, 0]) / counts
            seen[level] = torch.stack((means.detach(), categories.to(means.dtype)), 1)
            shares[level] = self._spread(level, names, means, categories)
        self.seen = names, seen
        return shares

    def remember(self) -> None:
        names, seen = self.seen
        kept = [place for place, name in enumerate(self.names) if name not in names]
        everything = [self.names[place] for place in kept] + names
        cut = max(0, len(everything) - self.length)
        for level, rows in seen.items():
            before = self.queue[level][kept] if level in self.queue else rows[:0]
            self.queue[level] = torch.cat((before, rows))[cut:]
        self.names, self.seen = everything[cut:] if seen else self.names, ([], {})

    def memory(self) -> dict[str, Any]:
        return {**super().memory(), "names": list(self.names)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.names = list(memory["names"])
        super().recall({level: queue for level, queue in memory.items() if level != "names"})

    def _spread(self, level: int, names: list[str], means: Float[Tensor, " b"], categories: Tensor) -> Tensor:
        others = [place for place, name in enumerate(self.names) if name not in names]
        old = self.queue[level][others].to(means.device) if level in self.queue else means.new_zeros(0, 2)
        values = torch.cat((means, old[:, 0]))
        _, category = torch.unique(torch.cat((categories.to(old.dtype), old[:, 1])), return_inverse=True)
        there = functional.one_hot(category)
        return within_share(values.unsqueeze(1).expand(there.shape), there > 0)


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
