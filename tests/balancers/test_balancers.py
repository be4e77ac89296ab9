"""Every balancer keeps one contract: named losses in, gradients on the parameters and the weights out."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.balancers._base import Balancer
from mrfusion.errors import SpecError

every = pytest.mark.parametrize("name", families.names("balancers"))


def losses_of(parameter: nn.Parameter) -> dict[str, Tensor]:
    return {"dice_ce": parameter.square().sum(), "fusion": 3 * parameter.sum()}


def backward(total: Tensor, *, retain_graph: bool = True) -> None:
    total.backward(retain_graph=retain_graph)


@every
def test_leaves_gradients_and_says_the_weight_of_each_loss(name: str) -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    balancer = families.load("balancers", name)()
    assert isinstance(balancer, Balancer)
    weights = balancer.backward(losses_of(parameter), [parameter], backward)
    assert set(weights) == {"dice_ce", "fusion"}
    assert all(isinstance(weight, float) for weight in weights.values())
    assert parameter.grad is not None
    assert parameter.grad.isfinite().all()
    balancer.end_epoch({"dice_ce": 1.0, "fusion": 2.0})


@every
def test_a_single_loss_is_left_alone(name: str) -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    families.load("balancers", name)().backward({"dice_ce": parameter.square().sum()}, [parameter], backward)
    assert parameter.grad is not None
    direction = nn.functional.cosine_similarity(parameter.grad, torch.tensor([2.0, 4.0]), dim=0)
    assert float(direction) == pytest.approx(1)


@every
def test_state_round_trip(name: str) -> None:
    balancer, other = families.load("balancers", name)(), families.load("balancers", name)()
    parameter = nn.Parameter(torch.ones(2))
    for each in (balancer, other):
        each.begin(("dice_ce", "fusion"))
    balancer.backward(losses_of(parameter), [parameter], backward)
    balancer.end_epoch({"dice_ce": 1.0, "fusion": 2.0})
    other.load_state_dict(balancer.state_dict())


def test_static_sums_what_it_is_told() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    weights = families.load("balancers", "static(fusion=0.5)")().backward(losses_of(parameter), [parameter], backward)
    assert weights == {"dice_ce": 1.0, "fusion": 0.5}
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [2 * 1 + 0.5 * 3, 2 * 2 + 0.5 * 3]


def test_static_calls_back_once_so_that_fabric_sees_the_total() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    seen: list[Any] = []
    families.load("balancers", "static(dice_ce=2)")().backward(losses_of(parameter), [parameter], seen.append)
    assert [float(total.detach()) for total in seen] == [2 * 5 + 9]
    assert parameter.grad is None


def test_static_refuses_to_weigh_what_is_not_there() -> None:
    with pytest.raises(SpecError, match=r"weighs a loss 'fusoin'; did you mean 'fusion'\? Known: dice_ce, fusion"):
        families.load("balancers", "static(fusoin=1)")().check(("dice_ce", "fusion"))
