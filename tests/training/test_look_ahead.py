"""Bilevel training: a step of two scalars computed by hand, and its place in a run."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from mrfusion import families
from mrfusion.balancers._base import Balancer
from mrfusion.errors import SpecError
from mrfusion.run_folder.quantity import SCORE
from mrfusion.schedules._base import LookAhead, Phase
from mrfusion.training.look_ahead import check_look_ahead, look_ahead
from tiny import fitted, interrupted, run_spec, training_of, weights_of

X, Y, WANTED, RATE = 2.0, 3.0, 0.25, 0.1
PLAN, LOSSES = "concat+lrrnet(a,b,n=2)", ["dice_ce", "fusion(detail=a,contrast=b,width=0.03)"]
SMALL = {"plan": PLAN, "losses": LOSSES, "network": "unet(base=4,stages=1,norm=instance)"}


class Scale(nn.Module):
    """One number times what comes in."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.value * x


class Two(nn.Module):
    """A fusion net f and a segmentation net w that are one number each: w f x is to be y, and f is to be 0.25."""

    def __init__(self, f: float, w: float) -> None:
        super().__init__()
        self.f, self.w = Scale(f), Scale(w)

    def forward(self, x: Tensor) -> Tensor:
        return self.w(self.f(x))


def step_of(f: float, w: float, *, ahead: float, weight: float = 0.5) -> tuple[Two, dict[str, Tensor]]:
    network = Two(f, w)

    def compute(replaced: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        output = functional_call(network, dict(replaced), (torch.tensor(X, dtype=torch.float64),))
        return {"seg": (output - Y).square(), "fusion": (network.f.value - WANTED).square()}, {}

    balancer: Balancer = families.load("balancers", f"static(fusion={weight})")()
    balancer.begin(("seg", "fusion"))
    how = LookAhead(network.f, (network.w,), ("seg",), ahead)
    (losses, _), weights = look_ahead(
        network, how, compute, rate=RATE, balancer=balancer, run_backward=lambda loss, **more: loss.backward(**more)
    )
    assert weights == {"seg": 1.0, "fusion": weight}
    return network, losses


@pytest.mark.parametrize(("f", "w"), [(0.5, 1.5), (1.2, -0.4)])
@pytest.mark.parametrize("ahead", [0.0, 1.0, 2.5])
def test_the_gradients_of_both_levels_by_hand(f: float, w: float, ahead: float) -> None:
    """L = (w f x - y)^2, w' = w - s dL/dw; the leader's is 2 (w' f x - y)(x w' + f x dw'/df) + 2 c (f - 0.25)."""
    s, weight = ahead * RATE, 0.5
    error = w * f * X - Y
    slope = 2 * f * X * error
    later = w - s * slope
    moves = -s * (2 * X * error + 2 * f * X * w * X)
    expected = 2 * (later * f * X - Y) * (X * later + f * X * moves) + 2 * weight * (f - WANTED)
    network, losses = step_of(f, w, ahead=ahead, weight=weight)
    assert network.w.value.grad == pytest.approx(slope)
    assert network.f.value.grad == pytest.approx(expected)
    assert losses["seg"].item() == pytest.approx((later * f * X - Y) ** 2)
    assert network.w.value.item() == w, "the step is only tried"


def test_a_leader_that_looks_ahead_has_another_gradient() -> None:
    """Otherwise the tests above could not fail for want of the second term."""
    far, near = (step_of(0.5, 1.5, ahead=ahead)[0].f.value.grad for ahead in (1.0, 0.0))
    assert abs(float(far - near)) > 0.1


def test_a_bilevel_training_moves_both_nets_and_resumes_in_the_same_bits(tmp_path: Path) -> None:
    spec = run_spec(**SMALL).changed({"budget": {"epochs": 2}, "sampling": {"per_case": 2}, "schedule": "bilevel"})
    whole = training_of(spec, tmp_path / "whole")
    start = weights_of(whole)
    expected = fitted(spec, whole)
    assert all(any(not torch.equal(weights_of(whole)[name], value) for name, value in start.items()
                   if name.startswith("inputs.") == leader) for leader in (True, False))  # fmt: skip
    resumed = interrupted(spec, tmp_path / "broken", at=2)
    assert fitted(spec, resumed).of(SCORE) == expected.of(SCORE)
    assert all(torch.equal(weights_of(resumed)[name], value) for name, value in weights_of(whole).items())


def test_what_cannot_look_ahead_is_told(tmp_path: Path) -> None:
    spec = run_spec(**SMALL, schedule="bilevel")
    training = training_of(spec, tmp_path)
    phases: list[Phase] = families.load("schedules", "bilevel")().phases(training.network, spec.loss_names)
    check_look_ahead(spec, phases, processes=1, precision="32-true")
    for processes, precision, says in ((2, "32-true", "works in one process"), (1, "16-mixed", "cannot scale")):
        with pytest.raises(SpecError, match=says):
            check_look_ahead(spec, phases, processes=processes, precision=precision)
    compiled = spec.changed({"machine": {"compile": True}})
    with pytest.raises(SpecError, match="gradients of gradients"):
        check_look_ahead(compiled, phases, processes=1, precision="32-true")
    with pytest.raises(SpecError, match="a finite number of at least 0 for ahead, found -1"):
        families.load("schedules", "bilevel(ahead=-1)")()
