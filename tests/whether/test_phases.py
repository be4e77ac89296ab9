"""Decoupled and joint training: what learns, what is frozen to the bit, how long, and what is written down."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.run_folder.quantity import PHASE, RATE, SECONDS, Quantity
from mrfusion.schedules._base import Phase
from mrfusion.spec import RunSpec
from mrfusion.training.optimiser import make_optimiser
from tiny import fitted, interrupted, loaded_cases, run_spec, training_of, weights_of

PLAN, LOSSES = "concat+lrrnet(a,b,n=2)", ["dice_ce", "fusion(detail=a,contrast=b,width=0.03)"]
SMALL = {"plan": PLAN, "losses": LOSSES, "network": "unet(base=4,stages=1,norm=batch)"}


def spec_of(**changes: Any) -> RunSpec:
    base = {"budget": {"epochs": 4}, "sampling": {"per_case": 2}}
    return run_spec(**SMALL).changed(base).changed(changes)


def phases_of(spec: RunSpec, tmp_path: Path) -> list[Phase]:
    training = training_of(spec, tmp_path)
    return families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names)


def is_fusion(name: str) -> bool:
    return name.startswith("inputs.fused_images.")


def test_what_is_frozen_stays_to_the_bit_running_statistics_included(tmp_path: Path) -> None:
    spec = spec_of(schedule="decoupled(share=0.5)")
    training, seen = training_of(spec, tmp_path), []
    whole = training.validate

    def validate(network: torch.nn.Module) -> dict[Quantity, float]:
        seen.append(weights_of(training))
        return whole(network)

    seen.append(weights_of(training))
    training.validate = validate
    history = fitted(spec, training)
    assert history.of(PHASE) == [1, 1, 2, 2, 2, 2]
    start, fusion, end = seen[0], seen[1:3], seen[3:]
    names = list(start)
    assert any("running_mean" in name for name in names)
    for state in fusion:
        assert all(torch.equal(state[n], start[n]) for n in names if not is_fusion(n))
    assert any(not torch.equal(fusion[1][n], start[n]) for n in names if is_fusion(n))
    best = min(range(2), key=lambda i: history.of(Quantity.parse("val/fusion"))[i])
    for state in end:
        assert all(torch.equal(state[n], fusion[best][n]) for n in names if is_fusion(n))
    assert any(not torch.equal(end[-1][n], start[n]) for n in names if "running_mean" in n)


def test_decoupled_has_the_paper_s_rates(tmp_path: Path) -> None:
    spec = spec_of(schedule="decoupled", budget={"decay": "constant", "learning_rate": 1e-3})
    first, second = phases_of(spec, tmp_path)
    history = fitted(spec, training_of(spec, tmp_path / "run"))
    assert history.of(RATE) == pytest.approx([1e-4] * 4 + [1e-3] * 4)
    assert (first.losses, second.losses) == (("fusion",), ("dice_ce",))
    assert (first.watch, second.watch) == ("fusion", "")


def test_joint_warm_keeps_the_segmentation_net_s_epochs_and_rates(tmp_path: Path) -> None:
    spec = spec_of(schedule="joint(warm=0.5,fusion_rate=0.002)", budget={"decay": "cosine"})
    alone = fitted(spec.changed({"schedule": "joint"}), training_of(spec, tmp_path / "alone"))
    history = fitted(spec, training_of(spec, tmp_path / "warm"))
    assert history.of(PHASE) == [1, 1, 2, 2, 3, 3]
    assert history.of(RATE)[2:] == pytest.approx(alone.of(RATE))
    own = history.of(Quantity.parse("lr/own"))
    assert own == pytest.approx([0.2 * rate for rate in alone.of(RATE)[2:]])
    assert len(history.of(Quantity.parse("weight/fusion"))) == 4


@pytest.mark.parametrize(("stop", "reached"), [("nothing", True), ("segmentation", False)])
def test_a_stopped_gradient_of_the_segmentation(stop: str, reached: bool, tmp_path: Path) -> None:
    spec = spec_of(schedule=f"joint(stop={stop})", balancer="static(fusion=0)", budget={"epochs": 1, "weight_decay": 0})
    training = training_of(spec, tmp_path)
    before = weights_of(training)
    history = fitted(spec, training)
    moved = any(not torch.equal(v, before[n]) for n, v in weights_of(training).items() if is_fusion(n))
    assert moved == reached
    assert bool(history.of(Quantity.parse("cosine/dice_ce:fusion"))) == reached


def test_a_stopped_fusion_loss_is_recorded_and_trains_nothing(tmp_path: Path) -> None:
    spec = spec_of(schedule="joint(stop=fusion)", budget={"epochs": 2})
    history = fitted(spec, training_of(spec, tmp_path))
    assert len(history.of(Quantity.parse("val/fusion"))) == 2
    assert history.of(Quantity.parse("train/fusion")) == []


def test_every_epoch_is_written_down(tmp_path: Path) -> None:
    spec = spec_of(schedule="joint", balancer="upgrad(unit=true)", budget={"epochs": 2})
    history = fitted(spec, training_of(spec, tmp_path))
    terms = [f"term/fusion/{term}" for term in ("pixel", "shallow", "middle", "deep")]
    for quantity in ("train/dice_ce", "train/fusion", "weight/dice_ce", "weight/fusion", "gradient/dice_ce",
                     "gradient/fusion", "cosine/dice_ce:fusion", *terms):  # fmt: skip
        assert len(history.of(Quantity.parse(quantity))) == 2, quantity
    assert all(-1 <= value <= 1 for value in history.of(Quantity.parse("cosine/dice_ce:fusion")))
    parts = [history.of(Quantity.parse(term))[0] for term in terms]
    total = sum(factor * part for factor, part in zip((10, 1.5, 1, 2000), parts, strict=True))
    assert history.of(Quantity.parse("train/fusion"))[0] == pytest.approx(total, rel=1e-5)
    files = sorted((tmp_path / "fused").iterdir())
    assert [file.name for file in files] == ["0001.npz", "0002.npz"]
    with np.load(files[0]) as kept, np.load(files[1]) as later:
        assert list(kept["names"]) == ["lrrnet(a,b,n=2)"]
        assert list(kept["sources"]) == ["a", "b"]
        assert kept["images"].shape == (1, 16, 16)
        assert kept["images"].dtype == np.uint8
        assert kept["images"].max() == 255
        assert np.array_equal(kept["source_images"], later["source_images"])
        assert not np.array_equal(kept["images"], later["images"])


def test_looking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(schedule="joint", budget={"epochs": 2})
    watched, blind = training_of(spec, tmp_path / "watched"), training_of(spec, tmp_path / "blind")
    monkeypatch.setattr(blind.watch, "look", lambda network, losses, epoch: {})
    fitted(spec, watched)
    fitted(spec, blind)
    assert all(torch.equal(weights_of(blind)[n], v) for n, v in weights_of(watched).items())


@pytest.mark.parametrize(
    "balancer", ["epoch_ratio(normalise=true)", "uncertainty", "famo", "dwa", "gradnorm", "imtl_g"]
)
def test_an_interrupted_joint_training_ends_in_the_same_bits(balancer: str, tmp_path: Path) -> None:
    spec = spec_of(schedule="joint(warm=0.25)", balancer=balancer, sampling={"per_case": 1})
    whole = training_of(spec, tmp_path / "whole")
    expected = fitted(spec, whole)
    resumed = interrupted(spec, tmp_path / "broken", at=5, by=KeyboardInterrupt)  # in the third phase
    found = fitted(spec, resumed)
    assert [r for r in found.rows if r[1] != SECONDS] == [r for r in expected.rows if r[1] != SECONDS]
    assert all(torch.equal(weights_of(resumed)[n], v) for n, v in weights_of(whole).items())


def test_a_drawn_image_is_trained_end_to_end(tmp_path: Path) -> None:
    spec = spec_of(plan="concat>image(a,b)", balancer="pcgrad", budget={"epochs": 1})
    history = fitted(spec, training_of(spec, tmp_path))
    assert len(history.of(Quantity.parse("cosine/dice_ce:fusion"))) == 1
    assert (tmp_path / "fused" / "0001.npz").exists()


def test_own_rates_are_groups_of_their_own(tmp_path: Path) -> None:
    training = training_of(spec_of(), tmp_path)
    net: Any = training.network.inputs.fused_images
    phase = Phase("joint", (training.network,), ("dice_ce",), own_rates=((net, 1e-5),))
    groups = make_optimiser(phase, training.balancer, training.budget).param_groups
    found = {id(p): group["peak"] for group in groups for p in group["params"]}
    assert all(found[id(p)] == 1e-5 for p in net.parameters())
    assert all(found[id(p)] == 0.01 for p in training.network.heads.parameters())
    assert len(found) == len(list(training.network.parameters()))


@pytest.mark.parametrize(
    ("span", "budget", "epochs"),
    [((0, 1), 5, range(5)), ((0, 0.3), 10, range(3)), ((0.3, 1), 10, range(3, 10)), ((0, 0.01), 10, range(1))],
)
def test_spans(span: tuple[float, float], budget: int, epochs: range) -> None:
    assert Phase("x", (), (), span=span).epochs(budget) == epochs


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plan": "concat", "schedule": "joint"}, "trains a fusion net"),
        ({"plan": "concat+zeros", "schedule": "decoupled"}, "trains a fusion net"),
        ({"losses": ["dice_ce"], "schedule": "decoupled"}, "on the loss 'fusion'"),
        ({"losses": LOSSES[1:], "schedule": "decoupled"}, "needs a loss beside"),
        ({"schedule": "decoupled(share=0)"}, "share"),
        ({"schedule": "joint(warm=1)"}, "warm"),
        ({"schedule": "joint(stop=dice)"}, "expected nothing or segmentation or fusion for stop, found 'dice'"),
    ],
)
def test_schedules_that_cannot_be(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=says):
        phases_of(spec_of(**changes), tmp_path)


def test_joint_without_a_fusion_loss_is_segmentation_alone(tmp_path: Path) -> None:
    (phase,) = phases_of(spec_of(losses=["dice_ce"], schedule="joint"), tmp_path)
    assert phase.losses == ("dice_ce",)


def test_cases_without_a_source_train_too(tmp_path: Path) -> None:
    cases = loaded_cases(4)
    object.__setattr__(cases[0], "present", (True, False))
    spec = spec_of(schedule="joint", budget={"epochs": 1})
    history = fitted(spec, training_of(spec, tmp_path, cases))
    assert np.isfinite(history.of(Quantity.parse("train/fusion"))).all()
