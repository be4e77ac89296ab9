"""The loop: exact resume, the guard against numbers that are not finite, early stopping, and that it learns."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mrfusion import families
from mrfusion.errors import TrainingError
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import RATE, SCORE, SECONDS, Quantity
from mrfusion.spec import RunSpec
from mrfusion.training.loop import Training
from tiny import fitted, loaded_cases, run_spec, training_of, weights_of


class InterruptionError(Exception):
    """Ctrl-C, a power cut, a full disk."""


def stop_after(training: Training, calls: int) -> None:
    """Let the validation of epoch ``calls`` + 1 end the process."""
    whole = training.validate
    seen: list[int] = []

    def validate(network: torch.nn.Module) -> dict[Quantity, float]:
        if len(seen) == calls:
            raise InterruptionError
        seen.append(1)
        return whole(network)

    training.validate = validate


def rows_of(history: History) -> list[tuple[int, Quantity, float]]:
    return [row for row in history.rows if row[1] != SECONDS]


def interrupted(spec: RunSpec, folder: Path, epochs: int) -> None:
    training = training_of(spec, folder)
    stop_after(training, epochs)
    with pytest.raises(InterruptionError):
        fitted(spec, training)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"budget": {"optimiser": "sgd", "decay": "poly"}, "plan": "separate[concat]"},
        {"budget": {"optimiser": "adam"}, "sampling": {"dimensions": 3}, "network": "residual(base=4,stages=1)"},
        {"network": "unet(base=4,stages=1,norm=batch)", "task": "classification"},
    ],
    ids=["2-D", "separate", "3-D", "classification"],
)
@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_an_interrupted_training_ends_in_the_same_bits(changes: dict[str, Any], epochs: int, tmp_path: Path) -> None:
    if epochs != 1 and changes:
        pytest.skip("the epoch of the interruption is varied for one kind of training")
    spec = run_spec(**changes)
    whole = training_of(spec, tmp_path / "whole")
    expected = fitted(spec, whole)
    interrupted(spec, tmp_path / "broken", epochs)
    torch.rand(5)
    resumed = training_of(spec, tmp_path / "broken")
    found = fitted(spec, resumed)
    assert rows_of(found) == rows_of(expected)
    for name, value in weights_of(whole).items():
        assert torch.equal(weights_of(resumed)[name], value), name
    assert sorted(p.name for p in (tmp_path / "broken").iterdir()) == [
        "best.safetensors",
        "history.csv",
        "last.pt",
        "previous.pt",
    ]


@pytest.mark.parametrize("calls", [2, 3])
def test_patience_goes_on_counting_after_an_interruption(calls: int, tmp_path: Path) -> None:
    spec = run_spec(budget={"epochs": 9, "patience": 3}, sampling={"per_case": 1})
    scores = [0.1, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4]

    def validate(network: torch.nn.Module) -> dict[Quantity, float]:
        return {SCORE: scores.pop(0)}

    training = training_of(spec, tmp_path)
    training.validate = validate
    stop_after(training, calls)
    with pytest.raises(InterruptionError):
        fitted(spec, training)
    resumed = training_of(spec, tmp_path)
    resumed.validate = validate
    assert len(fitted(spec, resumed).of(SECONDS)) == 5


class Growing(families.load("balancers", "static")):  # type: ignore[misc]
    """A balancer that remembers: the weight of the loss grows with every step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))

    def backward(self, losses: Any, shared: Any, run_backward: Any) -> dict[Quantity, float]:
        self.steps += 1
        self.weights = dict.fromkeys(losses, float(self.steps))
        return super().backward(losses, shared, run_backward)


def test_a_balancer_goes_on_from_what_it_knew(tmp_path: Path) -> None:
    spec = run_spec()
    whole, broken, resumed = (training_of(spec, tmp_path / name) for name in ("whole", "broken", "broken"))
    for training in (whole, broken, resumed):
        training.balancer = Growing()
    expected = fitted(spec, whole)
    stop_after(broken, 1)
    with pytest.raises(InterruptionError):
        fitted(spec, broken)
    assert rows_of(fitted(spec, resumed)) == rows_of(expected)
    assert expected.of(Quantity.parse("weight/dice_ce")) == [2.0, 5.0, 8.0]


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(tmp_path: Path) -> None:
    spec = run_spec()
    whole = training_of(spec, tmp_path / "whole")
    expected = fitted(spec, whole)
    interrupted(spec, tmp_path / "broken", 2)
    last = tmp_path / "broken" / "last.pt"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    resumed = training_of(spec, tmp_path / "broken")
    with pytest.warns(UserWarning, match=r"last.pt is damaged .*; going back to the one before"):
        found = fitted(spec, resumed)
    assert rows_of(found) == rows_of(expected)
    assert all(torch.equal(weights_of(resumed)[name], value) for name, value in weights_of(whole).items())


def test_the_network_ends_with_the_weights_of_its_best_epoch(tmp_path: Path) -> None:
    training = training_of(run_spec(), tmp_path)
    scores, seen = [0.2, 0.9, 0.5], []

    def validate(network: torch.nn.Module) -> dict[Quantity, float]:
        seen.append(weights_of(training))
        return {SCORE: scores[len(seen) - 1]}

    training.validate = validate
    fitted(run_spec(), training)
    for name, value in weights_of(training).items():
        assert torch.equal(value, seen[1][name])
        assert torch.equal(load_file(tmp_path / "best.safetensors")[name], value)
    assert any(not torch.equal(seen[2][name], seen[1][name]) for name in seen[1])


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (None, 6)])
def test_early_stopping(patience: int | None, epochs: int, tmp_path: Path) -> None:
    spec = run_spec(budget={"epochs": 6, "patience": patience}, sampling={"per_case": 1})
    training = training_of(spec, tmp_path)
    scores = iter([0.1, 0.5, 0.5, 0.4, 0.3, 0.2])
    training.validate = lambda network: {SCORE: next(scores)}
    assert len(fitted(spec, training).of(SECONDS)) == epochs


def test_a_loss_that_is_not_finite_stops_and_names_epoch_batch_and_cases(tmp_path: Path) -> None:
    spec = run_spec()
    training = training_of(spec, tmp_path)
    loss = training.objective.losses["dice_ce"]
    batches: list[Any] = []

    def spoil(module: torch.nn.Module, given: Any, value: torch.Tensor) -> torch.Tensor | None:
        if not torch.is_grad_enabled():
            return None
        batches.append(None)
        return value * float("nan") if len(batches) == 5 else None

    loss.register_forward_hook(spoil)
    ids = [batch.ids for epoch in (0, 1) for batch in training.batches.epoch(epoch)]
    each = len(training.batches)
    assert each == 3
    with pytest.raises(TrainingError) as caught:
        fitted(spec, training)
    message = str(caught.value)
    assert "not finite in epoch 2, batch 2 of 3" in message
    assert ", ".join(sorted(set(ids[4]))) in message
    assert (tmp_path / "last.pt").exists()
    assert all(value.isfinite().all() for value in load_file(tmp_path / "best.safetensors").values())
    resumed = training_of(spec, tmp_path)
    assert len(fitted(spec, resumed).of(SECONDS)) == 3, "with the fault mended it goes on from epoch 1"


def test_history_is_tidy_and_complete(tmp_path: Path) -> None:
    spec = run_spec(budget={"epochs": 2})
    history = fitted(spec, training_of(spec, tmp_path))
    quantities = {str(name) for _, name, _ in history.rows}
    assert quantities >= {"train/dice_ce", "val/dice_ce", "val/score", "val/dice_0", "val/dice_1", "lr", "seconds"}
    assert [epoch for epoch, name, _ in history.rows if name == RATE] == [1, 2]
    assert all(math.isfinite(value) for _, _, value in history.rows)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,quantity,value"
    assert len(lines) == 1 + len(history.rows)
    assert history.of(RATE) == pytest.approx([0.01, 0.005])


def test_progress_counts_every_step(tmp_path: Path) -> None:
    spec = run_spec(budget={"epochs": 2})
    training, told = training_of(spec, tmp_path), []
    training.progress = lambda done, total, what: told.append((done, total, what))
    fitted(spec, training)
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5, 6]
    assert {total for _, total, _ in told} == {6}
    assert told[0][2].startswith("epoch 1/2")
    assert told[-1][2].startswith("epoch 2/2")


@pytest.mark.parametrize("plan", ["concat", "separate>mean"])
def test_it_learns_two_tiny_cases(plan: str, tmp_path: Path) -> None:
    spec = run_spec(
        plan=plan,
        sampling={"per_case": 16},
        budget={"epochs": 16, "decay": "cosine", "learning_rate": 0.02},
        augmentation={"flip": False, "share": 0.0, "gamma": 0, "contrast": 0, "brightness": 0, "noise": 0},
    )
    cases = loaded_cases(2, seed=5)
    training = training_of(spec, tmp_path, [*cases, cases[0]])
    history = fitted(spec, training)
    losses = history.of(Quantity.parse("train/dice_ce"))
    assert losses[-1] < 0.6 * losses[0]
    assert max(history.of(SCORE)) > 0.85


def test_two_losses_are_trained_and_weighed(tmp_path: Path) -> None:
    spec = run_spec(head="labels", losses=["dice_ce", "cross_entropy"], balancer="static(cross_entropy=0.5)",
                    budget={"epochs": 1})  # fmt: skip
    history = fitted(spec, training_of(spec, tmp_path))
    assert history.of(Quantity.parse("weight/dice_ce")) == [1.0]
    assert history.of(Quantity.parse("weight/cross_entropy")) == [0.5]
    assert len(history.of(Quantity.parse("train/cross_entropy"))) == 1


def test_gradients_are_clipped(tmp_path: Path) -> None:
    """With SGD without decay the first step moves no further than rate x bound x (1 + momentum)."""
    spec = run_spec(budget={"epochs": 1, "optimiser": "sgd", "clip_norm": 1e-3, "learning_rate": 1.0,
                            "weight_decay": 0.0}, sampling={"per_case": 1})  # fmt: skip
    training = training_of(spec, tmp_path, loaded_cases(5))
    assert len(training.batches) == 1
    before = weights_of(training)
    fitted(spec, training)
    moved = torch.cat([(value - before[name]).flatten() for name, value in weights_of(training).items()]).norm()
    assert 0.9e-3 < float(moved) <= 1e-3 * 1.99 * 1.01


def test_a_run_that_is_lost_while_it_is_scored_is_not_trained_again(tmp_path: Path) -> None:
    spec = run_spec()
    first = training_of(spec, tmp_path)
    expected = fitted(spec, first)
    again = training_of(spec, tmp_path)
    assert fitted(spec, again).rows == expected.rows, "no epoch takes the same seconds twice"
    for name, value in weights_of(first).items():
        assert torch.equal(weights_of(again)[name], value), name


def test_until_there_is_a_number_a_training_says_that_it_starts(tmp_path: Path) -> None:
    spec, said = run_spec(), list[str]()
    training = training_of(spec, tmp_path)
    training.progress = lambda done, total, what: said.append(what)
    fitted(spec, training)
    assert said[0].endswith(", starting")
    assert "loss" in said[-1]
    assert not [what for what in said if "nan" in what]
