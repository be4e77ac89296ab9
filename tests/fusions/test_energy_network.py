"""Energies in a network: what levels tell each other, any placement, missing modalities, tasks, warm starts."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.fusions import _space
from mrfusion.losses._base import Output
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan

MODALITIES = ("a", "b", "c")


def network(plan: str, dimensions: int = 2, task: str = "segmentation", norm: str = "instance") -> FusionNetwork:
    torch.manual_seed(0)
    backbone = families.load("backbones", f"unet(base=4,stages=2,norm={norm})")(dimensions)
    return build_network(parse_plan(plan), MODALITIES, backbone, task=task, out_channels=2)


def images(dimensions: int = 2, batch: int = 2) -> tuple[Tensor, Tensor]:
    grid = (8, 12, 16)[:dimensions]
    found = torch.randn(batch, 3, *grid, generator=torch.Generator().manual_seed(1))
    return found, torch.ones(batch, 3, dtype=torch.bool)


def opened(net: FusionNetwork) -> FusionNetwork:
    """Away from the start, where O = 0 keeps everything from being seen."""
    with torch.no_grad():
        for fusion in net.fusions:
            for name, parameter in fusion.named_parameters():
                if name in ("out", "prior"):
                    parameter.add_(0.3 * torch.randn_like(parameter))
    return net.eval()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_any_grid_and_task(dimensions: int, task: str) -> None:
    net = network("separate[energy(width=8)]", dimensions, task).train()
    output: Output = net(*images(dimensions))
    assert [bool(state) for state in output.states] == [True] * 3
    parts = [record["parts"] for record in output.records]
    assert all((part[:, 1] == 0).all() for part in parts[:1]), "the finest level has no T"
    assert all((part[:, 1] > 0).all() for part in parts[1:])
    output.logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("levels", ["energy,mean,energy", "energy,max,energy", "energy,gated(fusion=mmtm),energy"])
def test_other_levels_let_what_was_handed_on_pass(levels: str) -> None:
    plan = f"separate[{levels}]".replace("energy", "energy(width=8)")
    net = opened(network(plan))
    output = net(*images())
    assert (output.records[2]["parts"][:, 1] > 0).all()
    with torch.no_grad():
        net.fusions[0].project.mul_(-1)
    again = net(*images())
    torch.testing.assert_close(again.records[0]["steps"], output.records[0]["steps"])  # all turned alike: the same
    assert not torch.allclose(again.records[2]["steps"], output.records[2]["steps"]), "the coarse level hears of it"


def test_without_one_below_or_with_hierarchy_off_there_is_no_t() -> None:
    for plan in ("separate[mean,mean,energy(width=8)]", "separate[energy(width=8,hierarchy=false)]"):
        output = opened(network(plan))(*images())
        assert (output.records[2]["parts"][:, 1] == 0).all()


@pytest.mark.parametrize("plan", ["separate[energy(width=8)]", "separate[energy(width=8,exchange=true)]>mean"])
def test_a_warm_start_is_the_mean_to_the_bit(plan: str) -> None:
    parent, child = (
        network(plan.replace("energy(width=8)", "mean").replace("energy(width=8,exchange=true)", "mean")),
        network(plan),
    )
    child.load_state_dict({**child.state_dict(), **parent.state_dict()})
    assert torch.equal(parent.eval()(*images()).logits, child.eval()(*images()).logits)


@pytest.mark.parametrize("plan", ["separate[energy(width=8)]", "separate[energy(width=8,exchange=true)]>mean"])
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), 5.0])
def test_what_stands_in_an_absent_slot_changes_not_a_bit(plan: str, filling: float) -> None:
    net, (given, present) = opened(network(plan)), images()
    present[0, 1] = present[1, 2] = False
    filled = torch.where(present[:, :, None, None], given, filling)
    expected, found = net(given, present), net(filled, present)
    assert torch.equal(found.logits, expected.logits)
    for one, other in zip(found.records, expected.records, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_late_fusion_feels_an_energy_that_exchanges() -> None:
    net, plain = (opened(network(f"separate[{text}]>mean")) for text in ("energy(width=8,exchange=true)", "mean"))
    plain.load_state_dict(net.state_dict(), strict=False)
    assert not torch.allclose(net(*images()).logits, plain(*images()).logits)


def test_autocast_keeps_energies_in_single_precision() -> None:
    net, given = opened(network("separate[energy(width=8)]")), images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = net(*given)
    exact = net(*given)
    for one, other in zip(output.records, exact.records, strict=True):
        assert one["steps"].dtype == one["energy"].dtype == torch.float32
        assert (one["steps"].diff(dim=1) <= 1e-6).all()
        torch.testing.assert_close(one["steps"], other["steps"], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("kind", ["quadratic", "hopfield"])
@pytest.mark.parametrize("width", [2, 8])
@pytest.mark.parametrize("points", [64, 8192])
def test_what_a_level_hands_on_lies_on_the_next_level_s_grid(
    kind: str, width: int, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an uneven grid: averaged along the axes that are halved, and only along these; worked on in parts or whole."""
    monkeypatch.setitem(_space.POINTS, "cpu", points)
    torch.manual_seed(0)
    backbone = families.load("backbones", "residual(base=(4,4,4),strides=(1,(1,2,2),2))")(3)
    plan = parse_plan(f"separate[energy(width={width},kind={kind},steps=1),gated(fusion='energy(width={width})'),mean]")
    net = build_network(plan, MODALITIES, backbone, task="segmentation", out_channels=2)
    streams, present = torch.randn(2, 3, 4, 5, 6, 8, requires_grad=True), torch.ones(2, 3, dtype=torch.bool)
    handed = net.fusions[0](streams, present, None).handed
    same: Any = net.fusions[0]
    coarser: Any = net.fusions[1].behind
    assert handed.shape == (2, width, 5, 3, 4)
    assert coarser.step == (2, 2, 2)
    same.coarsened((1, 1, 1))
    whole = same(streams, present, None).handed
    expected = torch.nn.functional.avg_pool3d(whole, (1, 2, 2))
    torch.testing.assert_close(handed, expected)
    weights = torch.randn_like(handed)
    for found, again in zip(
        torch.autograd.grad((handed * weights).sum(), [streams, same.project]),
        torch.autograd.grad((expected * weights).sum(), [streams, same.project]),
        strict=True,
    ):
        torch.testing.assert_close(found, again, rtol=1e-4, atol=1e-6)
