"""Small cohorts in memory and small trainings of them, for the tests of everything from batches to runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from mrfusion import families
from mrfusion.case import Case, Cohort, Region
from mrfusion.data.sample import LoadedCase
from mrfusion.progress import silent
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Parts, make_training
from mrfusion.training.loop import Training, fit

MODALITIES = ("a", "b")
REGIONS = (Region("whole", frozenset({1, 2})), Region("core", frozenset({2})))
NETWORK = "unet(base=4,stages=1,norm=instance)"


def loaded_cases(count: int, *, shape: tuple[int, int, int] = (3, 16, 16), seed: int = 0) -> list[LoadedCase]:
    """Cases whose label 1 is bright in the first modality and whose label 2, inside it, is bright in the second."""
    random = np.random.default_rng(seed)
    return [_loaded(f"case{number}", shape, number % 2, random) for number in range(count)]


def _loaded(name: str, shape: tuple[int, int, int], class_index: int, random: np.random.Generator) -> LoadedCase:
    labels = np.zeros(shape, np.uint8)
    row, column = random.integers(2, shape[1] // 2), random.integers(2, shape[2] // 2)
    labels[:, row : row + 6, column : column + 6] = 1
    labels[:, row + 2 : row + 5, column + 1 : column + 4] = 2
    images = random.normal(0, 0.3, (shape[0], 2, *shape[1:])).astype(np.float32)
    images[:, 0] += 2.0 * (labels > 0)
    images[:, 1] += 2.0 * (labels == 2)
    images[:, :, 0] = 0  # some background
    return LoadedCase(name, images, labels, (True, True), class_index, (0, shape[0]))


def cohort_of(cases: list[LoadedCase]) -> Cohort:
    """The cohort that these cases would come from."""
    paths = {name: Path(name) for name in MODALITIES}
    return Cohort(
        MODALITIES,
        tuple(Case(name, name, paths) for name in dict.fromkeys(c.id for c in cases)),
        REGIONS,
        ("low", "high"),
    )


def run_spec(**changes: Any) -> RunSpec:
    """The specification of a quick run, with changes laid over it."""
    base: dict[str, Any] = {
        "data": {"sources": [{"path": "nowhere", "layout": "brats"}]},
        "network": NETWORK,
        "sampling": {"per_case": 4},
        "budget": {"epochs": 3, "batch_size": 4, "learning_rate": 0.01},
        "seed": 7,
        "machine": {"device": "cpu"},
    }
    return RunSpec.model_validate(base).changed(changes)


def cpu() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def training_of(spec: RunSpec, folder: Path, cases: list[LoadedCase] | None = None) -> Training:
    """The training of a specification on tiny cases, the last of which validate; 2-D slices of 16 x 16."""
    cases = loaded_cases(4) if cases is None else cases
    size = (1, 16, 16) if spec.sampling.dimensions == 2 else (2, 16, 16)
    parts = Parts(cases[:-1] or cases, cases[-1:], size)
    folder.mkdir(parents=True, exist_ok=True)
    return make_training(spec, cohort_of(cases), parts, fabric=cpu(), folder=RunFolder(folder), progress=silent)


def fitted(spec: RunSpec, training: Training) -> History:
    """Carry the training out by the schedule that the specification names."""
    return fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))


def interrupted(spec: RunSpec, folder: Path, *, at: int, by: type[BaseException] = InterruptedError) -> Training:
    """The training of a specification that was ended by an error at its ``at``-th validation, begun again."""
    broken, looks = training_of(spec, folder), []
    validate = broken.validate

    def stopping(network: torch.nn.Module) -> dict[Quantity, float]:
        looks.append(1)
        if len(looks) == at:
            raise by
        return validate(network)

    broken.validate = stopping
    with pytest.raises(by):
        fitted(spec, broken)
    return training_of(spec, folder)


def weights_of(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.network.state_dict().items()}
