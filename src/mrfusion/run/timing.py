"""How long a run takes on this machine, from one shortened epoch of each phase and one predicted case."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mrfusion.data.load import OpenedCase, open_case
from mrfusion.data.read import RunData
from mrfusion.families import load
from mrfusion.files import temporary_folder
from mrfusion.progress import silent
from mrfusion.run.answers import make_answers
from mrfusion.run.execute import parts_of
from mrfusion.run_folder.quantity import SECONDS
from mrfusion.run_folder.run import RunFolder
from mrfusion.schedules._base import Phase
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import make_fabric, make_model, make_training
from mrfusion.training.loop import Training, fit

STEPS = (1, 5)  # of the two epochs that are timed


@dataclass(frozen=True)
class Measured:
    """Seconds of a whole epoch of each phase, and of the prediction of one case."""

    phases: Sequence[Phase]
    epochs: Sequence[float]
    prediction: float

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


def measured(spec: RunSpec, data: RunData, out: Path) -> Measured:
    """Time a run's steps; nothing of it is kept.

    What an epoch takes beside its steps, such as its validation, is told from them by epochs of two lengths.
    """
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), parts_of(spec, data)
    enough = [math.ceil(steps * spec.budget.batch_size / len(parts.train)) for steps in STEPS]
    lengths = list(dict.fromkeys(min(samples, spec.sampling.per_case) for samples in enough))
    with temporary_folder(out) as folder:

        def training(samples: int, name: str) -> Training:
            one = spec.changed({"budget": {"epochs": 1}, "sampling": {"per_case": samples}})
            place = RunFolder(folder / name)
            return make_training(one, data.cohort, parts, fabric=fabric, folder=place, progress=silent)

        first = training(lengths[0], "first")
        phases: list[Phase] = load("schedules", spec.schedule)().phases(first.network, spec.loss_names)
        fit(first, phases)  # the first epoch of a process is slow: libraries choose their kernels in it
        timed = []
        for samples in lengths:
            again = replace(training(samples, f"of {samples}"), network=first.network)
            timed.append((len(again.batches), fit(again, phases).of(SECONDS)))  # one epoch a phase
        model = make_model(spec, data.cohort, network=first.network, size=parts.size, fabric=fabric)
        started = time.perf_counter()
        make_answers(spec, data.cohort, model).predict(_first_of_validation(spec, data))
        prediction = time.perf_counter() - started
        steps = len(training(spec.sampling.per_case, "whole").batches)
    return Measured(phases, [_of_steps(steps, pairs) for pairs in _by_phase(timed)], prediction)


def _by_phase(timed: Sequence[tuple[int, Sequence[float]]]) -> list[list[tuple[int, float]]]:
    """The steps and seconds of each phase's epochs."""
    return [[(steps, each[number]) for steps, each in timed] for number in range(len(timed[0][1]))]


def _of_steps(steps: int, pairs: Sequence[tuple[int, float]]) -> float:
    """Seconds of an epoch of so many steps: on the line through two epochs, or in proportion to a single one."""
    (few, short), (more, long) = pairs[0], pairs[-1]
    if more == few:
        return long * steps / more
    each = max(0.0, (long - short) / (more - few))
    return max(0.0, short - few * each) + steps * each


def _first_of_validation(spec: RunSpec, data: RunData) -> OpenedCase:
    name = data.splits[spec.fold].val[0]
    modalities = spec.plan.modalities(data.cohort.modalities)
    return open_case(data.cohort.case(name), data.cohort, data.prepared[name], modalities, spec.sampling.slices)
