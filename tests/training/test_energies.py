"""What a run records of its energies, epoch by epoch and case by case, against the network asked directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mrfusion.files import read_rows
from mrfusion.losses._factors import measure
from mrfusion.run.energies import EnergyRecord
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.training.assemble import make_model
from mrfusion.training.energies import has_energy
from mrfusion.training.quantify import Classes, Quantifier
from tiny import NETWORK, cohort_of, cpu, fitted, loaded_cases, run_spec, training_of

PLAN = "separate[energy(width=8,steps=2),mean]"
DEEP = {"dimensions": 3, "per_case": 1}


def first_names(history: History, epoch: int) -> set[str]:
    return {str(quantity) for at, quantity, _ in history.rows if at == epoch}


@pytest.mark.parametrize("changes", [{}, {"task": "classification"}, {"sampling": DEEP}], ids=["2-D", "class", "3-D"])
def test_energies_of_every_epoch_and_before_the_first(changes: dict, tmp_path: Path) -> None:
    spec = run_spec(**({"plan": PLAN, "budget": {"epochs": 1}} | changes))
    history = fitted(spec, training_of(spec, tmp_path))
    classes = ("low", "high") if "task" in changes else ("background", "whole", "core")
    expected = {f"energy/level0/{name}" for name in ("step0", "step1", "step2", "evidence", "hierarchy", "dependency")}
    expected |= {"pi/level0/a", "pi/level0/b", "alignment/level0/independence", "alignment/level0/floor"}
    expected |= {f"alignment/level0/factor{r}/{name}" for r in (1, 2, 3, 4) for name in ("direction", "distribution")}
    shown = {f"energy/level0/class/{name}" for name in classes}
    assert expected <= first_names(history, 0) <= expected | shown
    assert first_names(history, 0) <= first_names(history, 1)
    assert "task" in changes or shown <= first_names(history, 1)
    for epoch in (0, 1):
        steps = [v for at, q, v in history.rows if at == epoch and q.level == 0 and q.numbered("step") is not None]
        assert steps == sorted(steps, reverse=True)
        parts = [v for at, q, v in history.rows if at == epoch and q.name in ("evidence", "hierarchy", "dependency")]
        assert sum(parts) == pytest.approx(steps[-1], rel=1e-4)


def test_a_plan_without_energies_records_none(tmp_path: Path) -> None:
    spec = run_spec(plan="separate[mean]", budget={"epochs": 1})
    training = training_of(spec, tmp_path)
    assert not has_energy(training.network)
    assert not [name for _, name, _ in fitted(spec, training).rows if name.kind in ("energy", "pi")]
    cohort = cohort_of(loaded_cases(1))
    model = make_model(spec, cohort, network=training.network, size=(1, 16, 16), fabric=cpu())
    record = EnergyRecord(RunFolder(tmp_path), model, spec, cohort)
    record.add(0, loaded_cases(1)[0], 0)
    record.write()
    assert not (tmp_path / "energy.csv").exists()


@pytest.mark.parametrize(
    ("dimensions", "network"), [(2, NETWORK), (3, NETWORK), (3, "residual(base=(4,8),strides=(1,(1,2,2)))")]
)
def test_the_table_and_the_maps_of_a_case(dimensions: int, network: str, tmp_path: Path) -> None:
    spec = run_spec(plan="separate[energy(width=8)]", sampling={"dimensions": dimensions}, network=network)
    cases, size = loaded_cases(1, shape=(4, 15, 18)), (1, 16, 16) if dimensions == 2 else (2, 8, 10)
    training = training_of(spec, tmp_path)
    model = make_model(spec, cohort_of(cases), network=training.network, size=size, fabric=cpu())
    record = EnergyRecord(RunFolder(tmp_path), model, spec, cohort_of(cases))
    record.add(3, cases[0], 2)
    record.write()
    rows = read_rows(tmp_path / "energy.csv", ("case", "level", "quantity", "value"))
    table = {(int(row["level"]), row["quantity"]): float(row["value"]) for row in rows}
    assert {row["case"] for row in rows} == {"case0"}
    assert {name for _, name in table} == {
        "energy", "step0", "step1", "step2", "step3", "evidence", "hierarchy", "dependency",
        "pi/a", "pi/b", "without/a", "without/b", "class/background", "class/whole", "class/core",
        "alignment/independence", "alignment/floor",
    } | {f"alignment/factor{r}/{name}" for r in (1, 2, 3, 4) for name in ("direction", "distribution")}  # fmt: skip
    assert table[1, "energy"] == table[1, "step3"]
    assert table[0, "pi/a"] + table[0, "pi/b"] == pytest.approx(1, rel=1e-5)
    with np.load(tmp_path / "energies" / "0003.npz") as maps:
        assert maps["levels"].tolist() == [0, 1]
        assert maps["modalities"].tolist() == ["a", "b"]
        assert maps["energy"].shape == (2, 18, 15)
        assert maps["weights"].shape == (2, 2, 18, 15)
        assert np.allclose(maps["weights"].astype(float).sum(1), 1, atol=2e-3)
    if dimensions == 2:
        core = Classes(("core",), (cases[0].labels == 2).astype(np.float32)[:, None])
        found = Quantifier(model.predictor).quantify(cases[0], ("a", "b"), 2, core)
        check_slices(model.predictor.network, found, cases[0])


def test_a_classified_case_has_the_energy_of_its_class_alone(tmp_path: Path) -> None:
    spec, cases = run_spec(plan=PLAN, task="classification"), loaded_cases(2)
    training = training_of(spec, tmp_path)
    model = make_model(spec, cohort_of(cases), network=training.network, size=(1, 16, 16), fabric=cpu())
    record = EnergyRecord(RunFolder(tmp_path), model, spec, cohort_of(cases))
    for number, case in enumerate(cases):
        record.add(number, case, 0)
    found = {(row.case, row.quantity): row.value for row in record.rows}
    assert {(case, q.within("class")) for case, q in found if q.level == 0 and q.within("class")} == {
        ("case0", "low"),
        ("case1", "high"),
    }
    low, last = Quantity("energy", "class/low", 0), Quantity("energy", level=0)
    assert found["case0", low] == pytest.approx(found["case0", last], rel=1e-4)


def test_factors_are_those_of_the_alignment_loss(tmp_path: Path) -> None:
    losses = {"losses": ["dice_ce", "alignment(factors=2)"], "balancer": "static(alignment=0.1)"}
    spec, cases = run_spec(plan=PLAN, **losses), loaded_cases(1)
    training = training_of(spec, tmp_path)
    model = make_model(spec, cohort_of(cases), network=training.network, size=(1, 16, 16), fabric=cpu())
    record = EnergyRecord(RunFolder(tmp_path), model, spec, cohort_of(cases))
    record.add(0, cases[0], 0)
    assert {row.quantity.numbered("factor") for row in record.rows} == {None, 1, 2}


def check_factors(rows: dict, level: int, states: list) -> None:
    """All slices' vectors together, as the alignment loss would have them in one batch."""
    vectors = torch.cat([state["vectors"] for state in states]).float()
    weights = torch.cat([state["vector_weights"] for state in states]).float()
    together = measure(vectors, weights, torch.ones(len(states), 2) > 0, 4)
    for name, value in together.terms().items():
        assert rows[Quantity("alignment", name, level)] == pytest.approx(value.item(), rel=1e-3, abs=1e-5)


def check_slices(network: torch.nn.Module, found: Any, case: Any) -> None:
    """Every slice alone, through the network itself."""
    with torch.inference_mode():
        outputs = [network(torch.from_numpy(image)[None], torch.ones(1, 2) > 0) for image in case.images]
    rows = dict(found.rows)
    for level in (0, 1):
        check_factors(rows, level, [output.states[level] for output in outputs])
        each = [output.records[level]["steps"][0, -1].item() for output in outputs]
        assert rows[Quantity("energy", level=level)] == pytest.approx(np.mean(each), rel=1e-4)
    core = np.stack([output.records[0]["energy"][0, :15, :18].numpy() for output in outputs])[case.labels == 2]
    assert rows[Quantity("energy", "class/core", 0)] == pytest.approx(core.mean(), rel=1e-4)
    expected = outputs[2].records[0]["energy"][0, :15, :18].numpy()
    np.testing.assert_allclose(found.energy[0], expected, rtol=1e-3, atol=1e-5)
    coarse = outputs[2].records[1]["weights"][0].numpy().repeat(2, 1).repeat(2, 2)[:, :15, :18]
    np.testing.assert_allclose(found.weights[1], coarse, rtol=1e-3, atol=1e-5)
