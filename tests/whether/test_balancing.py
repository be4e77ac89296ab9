"""Balancers by hand and against torchjd's own backward passes."""

import math

import pytest
import torch
from torch import Tensor, nn
from torchjd import aggregation, scalarization
from torchjd.autojac import jac_to_grad, mtl_backward

from mrfusion import families
from mrfusion.balancers._base import Balancer
from mrfusion.errors import SpecError
from mrfusion.run_folder.quantity import Quantity
from mrfusion.training.watch import conflict

NAMES = ("seg", "fusion")
AGGREGATORS = {
    "pcgrad": aggregation.PCGrad(),
    "upgrad": aggregation.UPGrad(),
    "cagrad(c=0.4)": aggregation.CAGrad(0.4),
}


def made(text: str) -> Balancer:
    balancer: Balancer = families.load("balancers", text)()
    balancer.begin(NAMES)
    return balancer


def backward(total: Tensor, *, retain_graph: bool = False) -> None:
    total.backward(retain_graph=retain_graph)


class TwoTasks(nn.Module):
    """A shared layer, one head that a loss of its own reaches, and a second loss on the shared layer alone."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.shared, self.head, self.scale = nn.Linear(3, 4), nn.Linear(4, 2), scale
        self.x, self.y = torch.randn(8, 3), torch.randn(8, 2)

    def features(self) -> Tensor:
        return torch.tanh(self.shared(self.x))

    def losses(self, features: Tensor) -> dict[str, Tensor]:
        seg = (self.head(features) - self.y).square().mean()
        return {"seg": seg, "fusion": self.scale * (features + self.y.mean()).square().mean()}


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def plain(model: TwoTasks, weights: dict[str, float]) -> dict[str, Tensor]:
    model.zero_grad()
    losses = model.losses(model.features())
    sum((w * losses[name] for name, w in weights.items()), start=torch.zeros(())).backward()
    found = gradients(model)
    model.zero_grad()
    return found


@pytest.mark.parametrize("text", AGGREGATORS)
@pytest.mark.parametrize("scale", [1.0, -3.0])
def test_gradient_balancers_equal_torchjds_own_backward(text: str, scale: float) -> None:
    model = TwoTasks(scale)
    losses = model.losses(model.features())
    weights = made(text).backward(losses, list(model.parameters()), backward)
    found = gradients(model)
    model.zero_grad()
    features = model.features()
    losses = model.losses(features)
    direct = torch.autograd.grad(losses["fusion"], list(model.shared.parameters()), retain_graph=True)
    assert all(g.abs().sum() > 0 for g in direct)
    mtl_backward(list(losses.values()), features=features)
    jac_to_grad(list(model.shared.parameters()), AGGREGATORS[text])
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)
    assert set(weights) == set(NAMES)


def test_imtl_g_gives_equal_projections_whatever_the_scale() -> None:
    directions = []
    for scale in (1.0, 1e6):
        model = TwoTasks(scale)
        losses = model.losses(model.features())
        shared = list(model.shared.parameters())
        each = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses.values()]
        made("imtl_g").backward(losses, list(model.parameters()), backward)
        step = torch.cat([p.grad.flatten() for p in shared])
        flat = [torch.cat([g.flatten() for g in gradient]) for gradient in each]
        projections = [float(step @ f / f.norm()) for f in flat]
        assert projections[0] == pytest.approx(projections[1], rel=1e-4)
        directions.append(step / step.norm())
        expected = aggregation.IMTLG()(torch.stack(flat)) if scale == 1 else None
        if expected is not None:
            torch.testing.assert_close(directions[0], expected / expected.norm(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(directions[0], directions[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("text", ["pcgrad(unit=true)", "upgrad(unit=true)", "cagrad(unit=true)", "imtl_g"])
def test_unit_gradients_are_blind_to_scale_and_leave_the_segmentation_alone(text: str) -> None:
    found, alone = [], plain(TwoTasks(), {"seg": 1.0})
    for scale in (1.0, 1e5):
        model = TwoTasks(scale)
        made(text).backward(model.losses(model.features()), list(model.parameters()), backward)
        found.append(gradients(model))
        for name in ("head.weight", "head.bias"):
            torch.testing.assert_close(found[-1][name], alone[name])
    step = [torch.cat([g["shared.weight"].flatten(), g["shared.bias"]]) for g in found]
    cosine = nn.functional.cosine_similarity(step[0], step[1], dim=0)
    assert float(cosine) == pytest.approx(1, abs=1e-4)


def test_a_step_of_upgrad_raises_no_loss() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 1.0]))
    losses = {
        "seg": (parameter * torch.tensor([1.0, 3.0])).sum(),
        "fusion": (parameter * torch.tensor([1.0, -2.0])).sum(),
    }
    made("upgrad").backward(losses, [parameter], backward)
    assert float(parameter.grad @ torch.tensor([1.0, 3.0])) >= -1e-3
    assert float(parameter.grad @ torch.tensor([1.0, -2.0])) >= -1e-3


def test_pcgrad_by_hand() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    made("pcgrad").backward({"seg": (parameter * a).sum(), "fusion": (parameter * b).sum()}, [parameter], backward)
    a_without_b, b_without_a = a + 0.5 * b, b + a
    torch.testing.assert_close(parameter.grad, a_without_b + b_without_a)


@pytest.mark.parametrize(
    ("text", "reference"), [("uncertainty", scalarization.UW(2)), ("imtl_l", scalarization.IMTLL(2))]
)
def test_learned_weights_equal_torchjds_scalar(text: str, reference: scalarization.Scalarizer) -> None:
    model, balancer = TwoTasks(7.0), made(text)
    (learned,), (theirs,) = balancer.parameters(), reference.parameters()
    with torch.no_grad():
        learned.copy_(torch.tensor([0.3, -0.7]))
        theirs.copy_(learned)
    weights = balancer.backward(model.losses(model.features()), list(model.parameters()), backward)
    found, own = gradients(model), learned.grad
    model.zero_grad()
    reference(torch.stack(list(model.losses(model.features()).values()))).backward()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(found[name], gradient)
    torch.testing.assert_close(own, theirs.grad)
    sign = -1 if text == "uncertainty" else 1
    factor = 0.5 if text == "uncertainty" else 1.0
    assert weights["seg"] == pytest.approx(factor * math.exp(sign * 0.3))
    theirs.grad = None
    with torch.no_grad():
        theirs.zero_()


def test_dwa_by_formula() -> None:
    balancer, parameter = made("dwa(temperature=2.0)"), nn.Parameter(torch.ones(1))
    epochs = [(4.0, 10.0), (2.0, 9.0), (1.0, 1.0)]
    for seg, fusion in epochs[:2]:
        weights = balancer.backward({"seg": seg * parameter.sum(), "fusion": fusion * parameter.sum()}, [], backward)
        assert weights == {"seg": 1.0, "fusion": 1.0}
        balancer.end_epoch({})
    weights = balancer.backward({"seg": parameter.sum(), "fusion": parameter.sum()}, [], backward)
    powers = [math.exp(0.5 / 2), math.exp(0.9 / 2)]
    assert list(weights.values()) == pytest.approx([2 * p / sum(powers) for p in powers])


def test_famo_lowers_the_weight_of_what_fell_fastest() -> None:
    balancer, parameter = made("famo(lr=0.1)"), nn.Parameter(torch.ones(1))
    losses = {"seg": 2 * parameter.sum(), "fusion": 5 * parameter.sum()}
    weights = balancer.backward(losses, [parameter], backward)
    c = 1 / (0.5 / 2 + 0.5 / 5)
    assert list(weights.values()) == pytest.approx([c * 0.5 / 2, c * 0.5 / 5], rel=1e-5)
    balancer.after_step(lambda: {"seg": torch.tensor(0.2), "fusion": torch.tensor(5.0)})
    after = balancer.backward({"seg": 2 * parameter.sum(), "fusion": 5 * parameter.sum()}, [parameter], backward)
    assert after["seg"] < weights["seg"]
    assert after["fusion"] > weights["fusion"]


def ratio_weights(balancer: Balancer, seg: float, fusion: float) -> list[float]:
    parameter = nn.Parameter(torch.ones(1))
    losses = {"seg": seg * parameter.sum(), "fusion": fusion * parameter.sum()}
    found = balancer.backward(losses, [parameter], backward)
    assert parameter.grad is not None
    assert float(parameter.grad) == pytest.approx(found["seg"] * seg + found["fusion"] * fusion)
    return list(found.values())


def test_epoch_ratio_by_equation_6() -> None:
    balancer = made("epoch_ratio")
    assert ratio_weights(balancer, 1.0, 1000.0) == [0.5, 0.5]
    balancer.end_epoch({"seg": 1.0, "fusion": 1000.0})
    assert ratio_weights(balancer, 1.0, 1000.0) == [0.5, 0.5]
    balancer.end_epoch({"seg": 0.5, "fusion": 900.0})
    r_s, r_f = 0.5, 0.9
    expected = math.exp(r_f) / (math.exp(r_f) + math.exp(r_s))
    assert ratio_weights(balancer, 1.0, 1.0) == pytest.approx([1 - expected, expected])
    balancer.end_epoch({"seg": 0.5, "fusion": 90.0})
    expected = math.exp(0.1) / (math.exp(0.1) + math.exp(1.0))
    assert ratio_weights(balancer, 1.0, 1.0) == pytest.approx([1 - expected, expected])


def test_epoch_ratio_is_blind_to_scale_as_the_paper_s_failure_says() -> None:
    """With falling losses lambda stays within 0.27 to 0.73, whatever the losses' size."""
    balancer, most = made("epoch_ratio"), []
    for seg, fusion in ((1.0, 1e6), (1e-9, 1e6), (1e-9, 1.0)):
        balancer.end_epoch({"seg": seg, "fusion": fusion})
        most += ratio_weights(balancer, 1.0, 1.0)
    assert min(most) == pytest.approx(1 / (1 + math.e), abs=1e-5)
    assert max(most) == pytest.approx(math.e / (1 + math.e), abs=1e-5)


def test_epoch_ratio_normalised_brings_losses_to_one_size() -> None:
    balancer = made("epoch_ratio(normalise=true)")
    assert ratio_weights(balancer, 2.0, 1e5) == pytest.approx([0.25, 0.5e-5])
    assert ratio_weights(balancer, 1.0, 1e5) == pytest.approx([0.25, 0.5e-5])
    balancer.end_epoch({"seg": 4.0, "fusion": 1e4})
    assert ratio_weights(balancer, 1.0, 1.0) == pytest.approx([0.125, 0.5e-4])


def test_gradnorm_brings_gradients_to_one_norm() -> None:
    balancer, a, b = made("gradnorm(lr=0.05)"), nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    for _ in range(400):
        a.grad = b.grad = None
        losses = {"seg": (a + b).sum() + 3, "fusion": 1000 * (a - b).sum() + 3000}
        weights = balancer.backward(losses, [a, b], backward)
    assert sum(weights.values()) == pytest.approx(2)
    assert weights["seg"] / weights["fusion"] == pytest.approx(1000, rel=0.15)
    assert a.grad is not None
    assert float(a.grad) == pytest.approx(weights["seg"] + 1000 * weights["fusion"], rel=1e-5)


@pytest.mark.parametrize("name", [n for n in families.names("balancers") if n != "static"])
def test_two_halves_of_a_run_equal_the_whole(name: str) -> None:
    def step(balancer: Balancer, number: int) -> dict[str, float]:
        model = TwoTasks(50.0 + number)
        losses = model.losses(model.features())
        weights = balancer.backward(losses, list(model.parameters()), backward)
        balancer.after_step(lambda: {n: 0.9 * v.detach() for n, v in losses.items()})
        balancer.end_epoch({n: float(v.detach()) for n, v in losses.items()})
        return weights

    whole, first, second = made(name), made(name), made(name)
    expected = [step(whole, number) for number in range(5)]
    for number in range(3):
        step(first, number)
    second.load_state_dict(first.state_dict())
    assert [step(second, number) for number in (3, 4)] == expected[3:]


def test_conflict_of_opposed_losses_is_minus_one() -> None:
    parameter, own = nn.Parameter(torch.tensor([1.0, -2.0])), nn.Parameter(torch.ones(1))
    loss = (parameter * torch.tensor([3.0, 4.0])).sum()
    found = {str(q): value for q, value in conflict({"a": loss + own.sum(), "b": -2 * loss}, [parameter, own]).items()}
    assert found == pytest.approx({"gradient/a": 5.0, "gradient/b": 10.0, "cosine/a:b": -1.0})
    right = (parameter * torch.tensor([-4.0, 3.0])).sum()
    assert conflict({"a": loss, "b": right}, [parameter])[Quantity("cosine", "a:b")] == pytest.approx(0)
    assert conflict({"a": own.sum(), "b": right}, [parameter, own]) == {}


def test_static_knows_its_losses() -> None:
    with pytest.raises(SpecError, match="weighs a loss 'fusoin'"):
        families.load("balancers", "static(fusoin=1)")().check(NAMES)
