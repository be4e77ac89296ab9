"""Two CPU processes train what one trains, to rounding."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.training.assemble import Parts, make_fabric, make_training
from mrfusion.training.loop import fit
from tiny import cohort_of, fitted, loaded_cases, run_spec, silent, training_of

# a mean over samples; and Dice, which is of the whole batch: regions with coarser heads, and weighted labels
CHANGES: dict[str, dict[str, Any]] = {
    "cross_entropy": {"head": "labels", "losses": ["cross_entropy"]},
    "cross_entropy(weight=[0.5,2,4])": {"head": "labels", "losses": ["cross_entropy(weight=[0.5,2,4])"]},
    "dice_ce": {"network": "residual(base=4,stages=1)"},
    "dice_ce(weight=[0.5,2,4])": {"head": "labels", "losses": ["dice_ce(weight=[0.5,2,4])"]},
}
TWO = {"machine": {"device": "cpu", "devices": 2}}


def train(fabric: Fabric, changes: dict[str, Any], folder: Path) -> None:
    """Both processes: the same training with their share of each batch."""
    torch.set_num_threads(1)
    cases, spec = loaded_cases(4), run_spec(**changes, **TWO)
    parts = Parts(cases[:-1], cases[-1:], (1, 16, 16))
    training = make_training(spec, cohort_of(cases), parts, fabric=fabric, folder=RunFolder(folder), progress=silent)
    fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("loss", CHANGES)
def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path, loss: str) -> None:
    changes, name = CHANGES[loss], families.parse(loss).name
    expected = fitted(run_spec(**changes), training_of(run_spec(**changes), tmp_path / "one"))
    (tmp_path / "two").mkdir()
    spec = run_spec(**changes, **TWO)
    make_fabric(spec.machine, spec.budget.precision).launch(partial(train, changes=changes, folder=tmp_path / "two"))
    lines = [line.split(",") for line in (tmp_path / "two" / "history.csv").read_text().splitlines()[1:]]
    for quantity, tolerance in ((f"train/{name}", 1e-4), (f"val/{name}", 1e-4), ("lr", 1e-9)):
        found = [float(value) for _, row, value in lines if row == quantity]
        assert found == pytest.approx(expected.of(Quantity.parse(quantity)), rel=tolerance), quantity
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "best.safetensors",
        "history.csv",
        "last.pt",
        "previous.pt",
    ]


ENERGY = {"plan": "separate[energy(width=8)]"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "batch norm, whose statistics would be of each share alone": (
        {"network": "unet(base=4,stages=1)"},
        "norm=instance",
    ),
    "a variance of energies": (ENERGY | {"losses": ["dice_ce", "energy"]}, "loss energy needs a whole batch"),
    "moments of vectors": (ENERGY | {"losses": ["dice_ce", "alignment"]}, "loss alignment needs a whole batch"),
    "the first losses as scales": (
        ENERGY | {"balancer": "epoch_ratio(normalise=true)"},
        "works in one process",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_depend_on_the_number_of_processes_is_refused(what: str, tmp_path: Path) -> None:
    changes, says = REFUSED[what]
    cases, spec = loaded_cases(2), run_spec(**changes, **TWO)
    two: Any = SimpleNamespace(world_size=2, global_rank=0, device=torch.device("cpu"), autocast=nullcontext)
    parts = Parts(cases, cases, (1, 16, 16))
    with pytest.raises(SpecError, match=says):
        make_training(spec, cohort_of(cases), parts, fabric=two, folder=RunFolder(tmp_path), progress=silent)
