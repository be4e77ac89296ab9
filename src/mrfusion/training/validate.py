"""Validation after each epoch, on samples that stay the same: cheap, without randomness, never on test patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.data.absence import Absence
from mrfusion.data.batch import Batch, collate, moved, read_ahead
from mrfusion.data.sample import Draw, LoadedCase, Place
from mrfusion.losses._base import Output
from mrfusion.losses._levels import class_masks
from mrfusion.run_folder.quantity import SCORE, Quantity
from mrfusion.spec import RunSpec
from mrfusion.training.decision import make_decision
from mrfusion.training.energies import Energies
from mrfusion.training.objective import Objective, RegionTarget


@dataclass(frozen=True)
class Samples:
    """Fixed samples of each case: boxes of ``size`` that hold its labels, about ``per_case`` of them.

    With ``absence`` each lacks what is drawn for it by its number, the same in every epoch and every run.
    """

    cases: Sequence[LoadedCase]
    size: Place
    per_case: int
    absence: Absence | None = None

    @cached_property
    def places(self) -> list[list[Place]]:
        """The starts of each case's boxes."""
        return [telling_places(case, self.size, self.per_case) for case in self.cases]

    def of_case(self, index: int) -> Batch:
        """All samples of one case."""
        draws = [Draw(index, start) for start in self.places[index]]
        batch = collate(self.cases, draws, self.size)
        if self.absence is None:
            return batch
        most = max(len(places) for places in self.places)
        seeds = [index * most + number for number in range(len(draws))]
        return replace(batch, present=self.absence.drawn(batch.present, seeds))


class Score:
    """What chooses the best epoch of a task, gathered case by case."""

    def __init__(self, cohort: Cohort, decision: nn.Module, objective: Objective) -> None:
        self.cohort, self.decision, self.objective = cohort, decision, objective

    def take(self, output: Output, batch: Batch) -> Callable[[], Tensor]:
        """The samples of one case; what gives the masks (b, C, *xyz) or (b, C) of the task's energy classes."""
        raise NotImplementedError

    def masks(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """What was wanted and what was answered as masks (b, regions, *xyz); None where a task has none to show."""
        del output, batch
        return None

    def rows(self, losses: Mapping[Quantity, float]) -> dict[Quantity, float]:
        """``val/score``, higher is better, and what else is recorded; gathering begins anew. ``losses`` are the means
        over the cases by ``val/<loss>``."""
        raise NotImplementedError


class RegionScore(Score):
    """The mean over regions of the Dice of all cases' samples together, as nnU-Net's, of the regions that any sample
    holds; a mean over cases would count a region that is absent and not predicted as 1, and so choose a network that
    predicts nothing."""

    def __init__(self, cohort: Cohort, decision: nn.Module, objective: Objective) -> None:
        super().__init__(cohort, decision, objective)
        self.regions, self.counts = RegionTarget(cohort), list[Tensor]()

    def take(self, output: Output, batch: Batch) -> Callable[[], Tensor]:
        target, answer = self.masks(output, batch)
        self.counts.append(_counts(answer, target))
        return lambda: class_masks(target, target.shape[1], exclusive=False)

    def masks(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.regions.to(batch.labels.device)(batch), self.decision(output.logits)

    def rows(self, losses: Mapping[Quantity, float]) -> dict[Quantity, float]:
        """``val/score`` (mean Dice) and ``val/dice_<i>`` for region i."""
        del losses
        together, self.counts = torch.stack(self.counts).sum(0).cpu(), []
        each = _dice(together)
        regions = {Quantity("val", f"dice_{i}"): value for i, value in enumerate(each.tolist())}
        return {SCORE: _score(each, held=together[2] > 0)} | regions


class ClassScore(Score):
    """Minus the sum of the losses that judge, since accuracies tie on few cases."""

    def __init__(self, cohort: Cohort, decision: nn.Module, objective: Objective) -> None:
        super().__init__(cohort, decision, objective)
        self.right: list[Tensor] = []

    def take(self, output: Output, batch: Batch) -> Callable[[], Tensor]:
        self.right.append(self.decision(output.logits).mean(0).argmax() == batch.classes[0])
        return lambda: class_masks(batch.classes, output.logits.shape[1], exclusive=True)

    def rows(self, losses: Mapping[Quantity, float]) -> dict[Quantity, float]:
        """``val/score`` and ``val/accuracy``."""
        right, self.right = torch.stack(self.right).float().mean(), []
        return {
            SCORE: -sum(value for loss, value in losses.items() if self.objective.losses[loss.name].judges),
            Quantity("val", "accuracy"): float(right),
        }


def make_score(spec: RunSpec, cohort: Cohort, objective: Objective, device: torch.device) -> Score:
    """The score that a run's task names."""
    decision = make_decision(spec, cohort).to(device)
    score: Score = families.piece(__name__, spec.chosen_task.score)(cohort, decision, objective)
    return score


class Validation:
    """The losses and a score, higher is better, over fixed samples of each case.

    Each phase's losses are all computed, whatever is trained. Rows of ``energies`` come along.
    """

    def __init__(
        self, samples: Samples, *, objective: Objective, score: Score, energies: Energies, fabric: Fabric
    ) -> None:
        self.samples = samples
        self.objective, self.score = objective, score
        self.energies, self.fabric = energies, fabric

    def __call__(self, network: nn.Module) -> dict[Quantity, float]:
        """``val/score``, what else the score records, ``val/<loss>``, and the rows of the energies."""

        def take(output: Output, batch: Batch) -> None:
            self.energies.add(output, self.score.take(output, batch))

        losses = self._over_cases(network, take)
        return self.score.rows(losses) | losses | self.energies.means()

    @torch.inference_mode()
    def _over_cases(self, network: nn.Module, take: Callable[[Output, Batch], None]) -> dict[Quantity, float]:
        network.eval()
        cases = range(len(self.samples.cases))
        jobs = [lambda i=index: moved(self.samples.of_case(i), self.fabric.device) for index in cases]
        found = []
        for batch in read_ahead(jobs):
            with self.fabric.autocast():
                output = network(batch.images, batch.present)
            found.append(torch.stack(list(self.objective(output, batch).values())))
            take(output, batch)
        means = torch.stack(found).mean(0).tolist()
        return {Quantity("val", name): value for name, value in zip(self.objective.losses, means, strict=True)}


def telling_places(case: LoadedCase, size: Place, count: int) -> list[Place]:
    """Starts of boxes by which a network can be judged: up to ``count`` evenly along the slices, and further ones until
    every label of the case is held by some box.

    Along an axis that a box does not span it lies around the middle of what is labelled in its slices, around the
    middle of the case where nothing is. So a box of whole slices is where it always was, and a patch does not miss what
    lies aside.
    """
    labels = np.asarray(case.labels)
    starts = [_around(case, labels, step, size) for step in _steps(case, size, count)]
    first, last = case.slices
    for label in np.unique(labels[first:last][labels[first:last] > 0]):
        if not any((_box(labels, start, size) == label).any() for start in starts):
            starts.append(_start(_middle_voxel(labels == label, (first, last)), size, case))
    return starts


def _steps(case: LoadedCase, size: Place, count: int) -> list[int]:
    """The first slices of up to ``count`` boxes, evenly."""
    first, last = case.slices
    spare = max(0, last - first - size[0])
    number = min(count, -(-(last - first) // size[0]))
    steps = np.unique(((np.arange(number) + 0.5) * (spare + 1) / number - 0.5).round().astype(int))
    return [first + int(step) for step in steps]


def _around(case: LoadedCase, labels: NDArray[np.uint8], step: int, size: Place) -> Place:
    slab = (step, min(step + size[0], len(labels)))
    if not labels[slice(*slab)].any():
        row, column = ((extent - n) // 2 for extent, n in zip(labels.shape[1:], size[1:], strict=True))
        return step, row, column
    _, row, column = _start(_middle_voxel(labels > 0, slab), size, case)
    return step, row, column


def _middle_voxel(mask: NDArray[np.bool_], slab: tuple[int, int]) -> Place:
    """Of the voxels of a mask in some slices the one next to their mean, so that it is one of them."""
    voxels = np.argwhere(mask[slice(*slab)])
    nearest = voxels[((voxels - voxels.mean(0)) ** 2).sum(1).argmin()]
    return slab[0] + int(nearest[0]), int(nearest[1]), int(nearest[2])


def _start(voxel: Sequence[int], size: Place, case: LoadedCase) -> Place:
    """Where a box begins that has a voxel in its middle, as far as the case, and its range of slices, allow."""
    limits = [case.slices, *((0, extent) for extent in case.labels.shape[1:])]
    s, row, column = (
        min(max(at - n // 2, low), high - n) if high - low >= n else (low + high - n) // 2
        for at, n, (low, high) in zip(voxel, size, limits, strict=True)
    )
    return s, row, column


def _box(labels: NDArray[np.uint8], start: Place, size: Place) -> NDArray[np.uint8]:
    return labels[tuple(slice(max(0, low), max(0, low + n)) for low, n in zip(start, size, strict=True))]


def _counts(decided: Tensor, target: Tensor) -> Tensor:
    """(3, regions): voxels in both, in the prediction, in the target."""
    axes = (0, *range(2, decided.ndim))
    wanted = target.bool()
    return torch.stack([(decided & wanted).sum(axes), decided.sum(axes), wanted.sum(axes)])


def _dice(counts: Tensor) -> Tensor:
    both, predicted, wanted = counts.float()
    return torch.where(predicted + wanted > 0, 2 * both / (predicted + wanted).clamp(min=1), 1.0)


def _score(dice: Tensor, *, held: Tensor) -> float:
    """The mean over the regions that are ``held`` by some sample; over all where no sample holds any."""
    return float(dice[held].mean() if held.any() else dice.mean())
