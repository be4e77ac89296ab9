"""Two CPU processes train what one trains, to rounding."""

from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from mrfusion import families
from mrfusion.training.assemble import Parts, make_fabric, make_training
from mrfusion.training.loop import fit
from tiny import cohort_of, fitted, loaded_cases, run_spec, silent, training_of

CHANGES = {"head": "labels", "losses": ["cross_entropy"]}  # a mean over samples; Dice is of the batch of each process


def train(fabric: Fabric, folder: Path) -> None:
    """Both processes: the same training with their share of each batch."""
    torch.set_num_threads(1)
    cases, spec = loaded_cases(4), run_spec(**CHANGES, machine={"device": "cpu", "devices": 2})
    parts = Parts(cases[:-1], cases[-1:], (1, 16, 16))
    training = make_training(spec, cohort_of(cases), parts, fabric=fabric, folder=folder, progress=silent)
    fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path) -> None:
    expected = fitted(run_spec(**CHANGES), training_of(run_spec(**CHANGES), tmp_path / "one"))
    (tmp_path / "two").mkdir()
    spec = run_spec(**CHANGES, machine={"device": "cpu", "devices": 2})
    make_fabric(spec.machine, spec.budget.precision).launch(train, tmp_path / "two")
    lines = [line.split(",") for line in (tmp_path / "two" / "history.csv").read_text().splitlines()[1:]]
    for quantity, tolerance in (("train/cross_entropy", 1e-4), ("val/cross_entropy", 1e-4), ("lr", 1e-9)):
        found = [float(value) for _, name, value in lines if name == quantity]
        assert found == pytest.approx(expected.of(quantity), rel=tolerance), quantity
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["best.safetensors", "history.csv"]
