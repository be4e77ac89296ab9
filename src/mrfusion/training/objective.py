"""What a network is asked for: the targets of its head, and every loss by name, unweighted."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.data.batch import Batch
from mrfusion.losses._base import Itemised, Loss, Output, Samples
from mrfusion.spec import RunSpec


class RegionTarget(nn.Module):
    """Label index maps -> masks of overlapping regions (b, regions, *xyz), 0 or 1."""

    table: Tensor

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        self.register_buffer("table", region_table(cohort).float(), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        return self.table[:, batch.labels.int()].movedim(0, 1)


class LabelTarget(nn.Module):
    """Label index maps -> class numbers of exclusive labels (b, *xyz)."""

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        del cohort

    def forward(self, batch: Batch) -> Tensor:
        return batch.labels.long()


class ClassTarget(nn.Module):
    """The class number of each case (b,)."""

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        del cohort

    def forward(self, batch: Batch) -> Tensor:
        return batch.classes


class Objective(nn.Module):
    """The losses of a run by name, as a function of a network's output and the batch it came from."""

    def __init__(self, target: nn.Module, losses: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.target, self.losses = target, nn.ModuleDict(losses)

    def forward(self, output: Output, batch: Batch, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Every loss, or those in ``names``; scalars on the output's device."""
        return self.itemised(output, batch, names)[0]

    @property
    def recorded(self) -> dict[str, dict[str, str]]:
        """What each loss says of itself beyond the spec, by its name."""
        losses = {name: loss for name, loss in self.losses.items() if isinstance(loss, Loss) and loss.recorded}
        return {name: dict(loss.recorded) for name, loss in losses.items()}

    def itemised(
        self, output: Output, batch: Batch, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, and the terms of those that are sums, ``<loss>/<term>``, unweighted and detached."""
        target = self.target(batch)
        samples = Samples(batch.ids, batch.classes)
        found = {
            name: self.losses[name](output, target, *[samples] * getattr(self.losses[name], "reads_samples", False))
            for name in names or self.losses
        }
        sums = {name: value for name, value in found.items() if isinstance(value, Itemised)}
        terms = {f"{name}/{term}": v.detach() for name, value in sums.items() for term, v in value.terms.items()}
        return {name: value.total if name in sums else value for name, value in found.items()}, terms

    def remember(self) -> None:
        """Tell the losses that what they saw last was a step of the training."""
        for loss in self.losses.values():
            loss.remember()  # type: ignore[operator]

    def memory(self) -> dict[str, Any]:
        """What each loss must know to go on after an interruption."""
        return {name: loss.memory() for name, loss in self.losses.items()}  # type: ignore[operator]

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Give each loss its memory back."""
        for name, found in memory.items():
            self.losses[name].recall(found)  # type: ignore[operator]


def make_objective(spec: RunSpec, cohort: Cohort) -> Objective:
    """The objective of a run; a loss is called by its choice's name."""
    exclusive = spec.chosen_task.exclusive(spec.head)
    losses = (families.load("losses", text)(exclusive) for text in spec.loss_texts)
    target = families.piece(__name__, spec.chosen_task.target(spec.head))(cohort)
    return Objective(target, dict(zip(spec.loss_names, losses, strict=True)))


def out_channels(spec: RunSpec, cohort: Cohort) -> int:
    """How many logits a head gives for a run's task."""
    return int(spec.chosen_task.channels(cohort, spec.head))


def region_table(cohort: Cohort) -> Tensor:
    """(regions, labels + 1) of booleans: which index of a label map belongs to which region."""
    values = (None, *cohort.label_values)
    return torch.tensor([[value in region.labels for value in values] for region in cohort.regions])
