"""How long a run takes on this machine, from a few timed steps, one validated and one predicted case."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lightning_fabric import Fabric
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mrfusion.data.read import RunData
from mrfusion.data.sample import Place
from mrfusion.families import load
from mrfusion.files import temporary_folder
from mrfusion.progress import silent
from mrfusion.run.evaluate_cases import CaseEvaluation
from mrfusion.run.execute import parts_of
from mrfusion.run_folder.quantity import SECONDS, Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.schedules._base import Phase
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Parts, make_fabric, make_model, make_training
from mrfusion.training.loop import Training, fit
from mrfusion.training.predict import OVERLAP
from mrfusion.training.validate import telling_places

STEPS = 5  # of the longer of the two epochs that are timed; the other has one
PATIENCE_SECONDS = 2.0  # for each piece; nothing is begun that would end after it, but what is timed first
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """Seconds of a whole epoch of each phase, its validation included, and of a case that is predicted and scored."""

    phases: Sequence[Phase]
    epochs: Sequence[float]
    case: float

    def training(self, budget: int) -> float:
        """Seconds of a training of so many epochs."""
        counts = [len(phase.epochs(budget)) for phase in self.phases]
        return sum(seconds * count for seconds, count in zip(self.epochs, counts, strict=True))

    def budget(self, seconds: float) -> int:
        """The most epochs whose training takes no longer than this; at least one."""
        least, most = 1, 2
        while self.training(most) <= seconds:
            least, most = most, 2 * most
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if self.training(middle) <= seconds else (least, middle)
        return least


def measured(spec: RunSpec, data: RunData, out: Path, *, patience: float = 0.0) -> Measured:
    """Time a run's pieces on a few of its cases, with more ``patience`` in seconds if given; nothing of it is kept.

    The patience is that with each piece, :data:`PATIENCE_SECONDS` at the least. What an epoch takes beside its steps is
    told from them by epochs of two lengths. What is slow for the first time is timed twice where the patience allows
    it. Nothing is compiled: that takes longer than all of this.
    """
    spec = spec.changed({"machine": {"compile": False}})
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), parts_of(spec, data)
    with temporary_folder(out) as folder:
        return _Timing(spec, data, parts, fabric, folder, max(PATIENCE_SECONDS, patience)).measured()


class _Timing:
    """One network that is timed, in all that a run does with it."""

    def __init__(
        self, spec: RunSpec, data: RunData, parts: Parts, fabric: Fabric, folder: Path, patience: float
    ) -> None:
        self.spec, self.data, self.parts, self.fabric, self.folder = spec, data, parts, fabric, folder
        self.patience, self.until, self.made = patience, 0.0, 0

    def measured(self) -> Measured:
        """All of it; each piece has its own time, so that a slow validation leaves enough for the steps."""
        asked = self.spec.sampling.per_case, self.spec.budget.batch_size
        whole = self._training(self.parts, *asked)
        network = whole.network.to(self.fabric.device)
        phases: list[Phase] = load("schedules", self.spec.schedule)().phases(network, self.spec.loss_names)
        checked = self._training(Parts(self.parts.train[:1], self.parts.val[:1], self.parts.size), *asked)
        self._restart_clock()
        values, validation = self._timed(lambda: checked.validate(network))
        self._restart_clock()
        pairs = _by_phase(self._epochs(network, phases, values))
        epochs = [_of_steps(len(whole.batches), each) + validation * len(self.parts.val) for each in pairs]
        return Measured(phases, epochs, self._case(network, validation))

    def _training(self, parts: Parts, per_case: int, batch: int) -> Training:
        """A training of one epoch, in a folder of its own."""
        self.made += 1
        one = self.spec.changed({"budget": {"epochs": 1, "batch_size": batch}, "sampling": {"per_case": per_case}})
        place = RunFolder(self.folder / str(self.made))
        return make_training(one, self.data.cohort, parts, fabric=self.fabric, folder=place, progress=silent)

    def _epochs(
        self, network: nn.Module, phases: list[Phase], values: dict[Quantity, float]
    ) -> list[tuple[float, Sequence[float]]]:
        """The steps of short epochs, and the seconds of each phase's, validation left out.

        The first step has as few samples as the network can do with: where a whole one would take longer than
        the patience, it is told in proportion, and counts as that share of a step. That is too long where a step costs
        much beside its samples, so a whole one is timed wherever it can be.
        """
        batch = self.spec.budget.batch_size
        few = min(batch, 2 if any(isinstance(one, _BatchNorm) for one in network.modules()) else 1)

        def epoch(steps: int, samples: int = batch) -> tuple[float, Sequence[float]]:
            training = replace(self._steps(steps, samples), network=network, validate=lambda _: values)
            return len(training.batches), fit(training, phases).of(SECONDS)  # one epoch a phase

        (_, of_few), _ = self._timed(lambda: epoch(1, few))
        if sum(of_few) * batch / few > self.patience:
            return [(few / batch, of_few)]
        first, seconds = self._timed(lambda: epoch(1))
        return [first, epoch(STEPS)] if self._has_time_for(STEPS * seconds) else [first]

    def _steps(self, steps: int, samples: int) -> Training:
        """A training of one epoch of so many steps of so many samples."""
        draws = steps * samples
        cases = self.parts.train[: math.ceil(draws / self.spec.sampling.per_case)]
        per_case = min(self.spec.sampling.per_case, math.ceil(draws / len(cases)))
        return self._training(Parts(cases, self.parts.val[:1], self.parts.size), per_case, samples)

    def _case(self, network: nn.Module, validation: float) -> float:
        """Seconds of one case; judged from a validated one where it would take longer than there is time for."""
        first, size = self.parts.val[0], self.parts.size
        boxes = len(telling_places(first, size, self.spec.sampling.per_case))
        mirrors = 2 ** (3 if size[0] > 1 else 2) if self.spec.mirror else 1
        expected = validation / boxes * windows(first.labels.shape, size) * mirrors
        self._restart_clock()
        if not self._has_time_for(expected):
            return expected
        model = make_model(self.spec, self.data.cohort, network=network, size=size, fabric=self.fabric)
        place = RunFolder(self.folder / "case")
        names = self.data.splits[self.spec.fold].val[:1]
        evaluation = CaseEvaluation(self.spec, self.data, place, silent, names=names)
        return _once(lambda: evaluation.run(model))[1]

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """What the work gives and its seconds, of a second time where there is time for one: libraries choose their
        kernels in the first."""
        found, seconds = _once(work)
        return _once(work) if self._has_time_for(seconds) else (found, seconds)

    def _restart_clock(self) -> None:
        self.until = time.perf_counter() + self.patience

    def _has_time_for(self, seconds: float) -> bool:
        return time.perf_counter() + seconds <= self.until


def windows(shape: Place, size: Place) -> float:
    """How many boxes of ``size`` the prediction of a whole case (slices, rows, columns) reads; slices are whole."""
    if size[0] == 1:
        return shape[0] * max(1.0, math.prod(shape[1:]) / math.prod(size[1:]))
    return math.prod(max(0, math.ceil((n - s) / (s * (1 - OVERLAP)))) + 1 for n, s in zip(shape, size, strict=True))


def _once(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _by_phase(timed: Sequence[tuple[float, Sequence[float]]]) -> list[list[tuple[float, float]]]:
    """The steps and seconds of each phase's epochs."""
    return [[(steps, each[number]) for steps, each in timed] for number in range(len(timed[0][1]))]


def _of_steps(steps: int, pairs: Sequence[tuple[float, float]]) -> float:
    """Seconds of an epoch of so many steps: on the line through two epochs, or in proportion to a single one."""
    (few, short), (more, long) = pairs[0], pairs[-1]
    if more == few:
        return long * steps / more
    each = max(0.0, (long - short) / (more - few))
    return max(0.0, short - few * each) + steps * each
