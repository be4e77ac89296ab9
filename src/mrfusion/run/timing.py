"""How long a run takes on this machine, from one shortened epoch of each phase and one predicted case."""

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
from mrfusion.training.loop import fit


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
    """Time a run's steps; nothing of it is kept."""
    short = spec.changed({"budget": {"epochs": 1}, "sampling": {"per_case": 1}})
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), parts_of(spec, data)
    with temporary_folder(out) as folder:
        trainings = [
            make_training(one, data.cohort, parts, fabric=fabric, folder=RunFolder(folder), progress=silent)
            for one in (short, spec)
        ]
        phases: list[Phase] = load("schedules", spec.schedule)().phases(trainings[0].network, spec.loss_names)
        fit(trainings[0], phases)  # the first epoch of a process is slow: libraries choose their kernels in it
        each = fit(replace(trainings[0], folder=RunFolder(folder / "again")), phases).of(SECONDS)  # one epoch a phase
        model = make_model(spec, data.cohort, network=trainings[0].network, size=parts.size, fabric=fabric)
        started = time.perf_counter()
        make_answers(spec, data.cohort, model).predict(_first_of_validation(spec, data))
        prediction = time.perf_counter() - started
    steps = len(trainings[1].batches) / len(trainings[0].batches)
    return Measured(phases, [seconds * steps for seconds in each], prediction)


def _first_of_validation(spec: RunSpec, data: RunData) -> OpenedCase:
    name = data.splits[spec.fold].val[0]
    modalities = spec.plan.modalities(data.cohort.modalities)
    return open_case(data.cohort.case(name), data.cohort, data.prepared[name], modalities, spec.sampling.slices)
