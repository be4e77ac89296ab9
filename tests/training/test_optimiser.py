"""Optimisers and learning rates, against formulas written out here."""

import math

import pytest
import torch
from torch import nn

from mrfusion import families
from mrfusion.schedules._base import Phase
from mrfusion.spec import Budget
from mrfusion.training.optimiser import count_parameters, learning_rate, make_optimiser


@pytest.mark.parametrize(
    ("decay", "formula"),
    [
        ("constant", lambda t: 1.0),
        ("cosine", lambda t: (1 + math.cos(math.pi * t)) / 2),
        ("poly", lambda t: (1 - t) ** 0.9),
    ],
)
def test_learning_rates(decay: str, formula: object) -> None:
    budget = Budget.model_validate({"epochs": 40, "learning_rate": 0.3, "decay": decay})
    found = [learning_rate(budget, epoch) for epoch in range(40)]
    assert found == pytest.approx([0.3 * formula(epoch / 40) for epoch in range(40)])
    assert found[0] == pytest.approx(0.3)
    assert all(rate > 0 for rate in found)


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_optimisers(name: str, kind: type[torch.optim.Optimizer]) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    budget = Budget.model_validate({"optimiser": name, "learning_rate": 0.1, "weight_decay": 0.01})
    optimiser = make_optimiser(Phase("p", (module,), ("l",)), families.load("balancers", "static")(), budget)
    assert type(optimiser) is kind
    weights, others = optimiser.param_groups
    assert [p.ndim for p in weights["params"]] == [4]
    assert (weights["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    assert len(others["params"]) == 3, "the bias and both parameters of the norm"
    assert weights["lr"] == 0.1
    if name == "sgd":
        assert (weights["momentum"], weights["nesterov"]) == (0.99, True)


def test_only_the_modules_of_a_phase_are_optimised() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    optimiser = make_optimiser(Phase("p", (second,), ("l",)), families.load("balancers", "static")(), Budget())
    chosen = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert chosen == {id(p) for p in second.parameters()}
    assert not chosen & {id(p) for p in first.parameters()}


def test_count_parameters() -> None:
    assert count_parameters(nn.Linear(3, 4)) == 16
