"""LRRNet and the fused image: its equations by hand, its size, and that everybody sees the same image."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.errors import SpecError
from mrfusion.image_fusions._base import min_max, unit_range
from mrfusion.image_fusions.lrrnet import Lrrnet, soft_threshold
from mrfusion.model.inputs import Inputs
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan


def test_the_paper_s_size() -> None:
    assert sum(p.numel() for p in Lrrnet("t1c", "t2f").parameters()) == 49_204


@pytest.mark.parametrize(("modalities", "n", "steps"), [(1, 3, 4), (2, 16, 4), (3, 5, 2), (4, 8, 0)])
def test_size_by_formula(modalities: int, n: int, steps: int) -> None:
    net = Lrrnet(*"abcd"[:modalities], n=n, iterations=steps)
    encoder = 20 * n + steps * (20 * n + 18 * n + 1) + 2 * n + 1
    decoder = 2 * modalities * (9 * n + 1) + 2 * (9 * modalities + 1)
    assert sum(p.numel() for p in net.parameters()) == modalities * encoder + decoder


def test_soft_threshold_by_formula() -> None:
    r, theta = torch.linspace(-2, 2, 41), torch.tensor(0.35)
    torch.testing.assert_close(soft_threshold(r, theta), torch.sign(r) * torch.clamp(r.abs() - theta, min=0))


def test_thresholds_stay_positive_and_never_expand() -> None:
    encoder: Any = Lrrnet("a", n=4).encoders[0]
    assert encoder.threshold.flatten().tolist() == pytest.approx([0.01] * 8)
    encoder.raw_threshold.data.fill_(-30.0)
    assert (encoder.threshold > 0).all()
    values = torch.randn(2, 8, 5, 5)
    assert (soft_threshold(values, encoder.threshold).abs() <= values.abs()).all()


def convolved(image: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    return functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)


def test_the_equations_literally() -> None:
    torch.manual_seed(0)
    net: Any = Lrrnet("a", "b", n=3)
    images = torch.rand(2, 2, 7, 6) + 0.1
    low_rank, sparse = [], []
    for m in range(2):
        x, e = unit_range(images)[:, m : m + 1], net.encoders[m]
        theta = torch.log(1 + torch.exp(e.raw_threshold)).view(1, -1, 1, 1)
        eta = lambda r, t=theta: torch.sign(r) * torch.clamp(r.abs() - t, min=0)  # noqa: E731
        z = eta(convolved(x, e.first))
        for k in range(4):
            z = eta(e.keep * z + convolved(x - convolved(z, e.forth[k]), e.back[k]))
        low_rank.append(convolved(z[:, :3], net.low_rank[m]))
        sparse.append(convolved(z[:, 3:], net.sparse[m]))
    fused = convolved(torch.cat(low_rank, 1), net.join_low_rank) + convolved(torch.cat(sparse, 1), net.join_sparse)
    low, high = fused.amin((1, 2, 3), keepdim=True), fused.amax((1, 2, 3), keepdim=True)
    torch.testing.assert_close(net(images), (fused - low) / (high - low))


def test_the_fused_image_fills_zero_to_one_and_learns() -> None:
    net, images = Lrrnet("a", "b", n=2), torch.randn(3, 2, 8, 9)
    fused = net(images)
    assert fused.amin((1, 2, 3)).tolist() == [0.0] * 3
    assert fused.amax((1, 2, 3)).tolist() == pytest.approx([1.0] * 3)
    fused.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_volume_is_fused_slice_by_slice_and_stretched_as_a_whole() -> None:
    net, volume = Lrrnet("a", "b", n=2), torch.rand(2, 2, 4, 8, 8) + 0.5
    whole = net(volume)
    assert whole.shape == (2, 1, 4, 8, 8)
    assert whole.amin((1, 2, 3, 4)).tolist() == [0.0] * 2
    scaled = unit_range(volume)
    flat = torch.cat([net._fuse(scaled[:, :, d]).unsqueeze(2) for d in range(4)], 2)
    torch.testing.assert_close(whole, min_max(flat))


def test_background_becomes_black_and_a_flat_image_stays_finite() -> None:
    image = torch.tensor([[0.0, -2.0, 0.0], [1.0, 3.0, 0.0]]).view(1, 1, 2, 3)
    assert unit_range(image).flatten().tolist() == pytest.approx([0, 0, 0, 0.6, 1, 0])
    assert not unit_range(torch.zeros(1, 1, 4, 4)).any()
    assert not unit_range(torch.full((1, 1, 4, 4), 3.0)).any()
    assert Lrrnet("a", n=1)(torch.zeros(1, 1, 4, 4)).isfinite().all()


@pytest.mark.parametrize("text", ["lrrnet(a,n=0)", "lrrnet(a,iterations=-1)"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"a whole number of at least [01] for (n|iterations), found"):
        families.load("image_fusions", text)()


def network_of(plan: str, modalities: tuple[str, ...] = ("t1n", "t1c", "t2f")) -> FusionNetwork:
    torch.manual_seed(0)
    backbone: Backbone = families.load("backbones", "unet(base=4,norm=none)")(2)
    parsed = parse_plan(plan)
    return build_network(parsed, parsed.modalities(modalities), backbone, task="segmentation", out_channels=3)


def test_the_loss_sees_the_image_that_the_network_sees() -> None:
    network, seen = network_of("concat(t1c,t2f)+lrrnet(t1c,t2f,n=2)"), []
    network.encoders[0][0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    images = torch.randn(2, 2, 12, 12)
    (fused,) = network(images, torch.ones(2, 2, dtype=torch.bool)).fused
    assert torch.equal(seen[0][:, 2:], fused.image)
    assert torch.equal(seen[0][:, :2], images)
    assert list(fused.sources) == ["t1c", "t2f"]
    torch.testing.assert_close(fused.sources["t2f"], unit_range(images)[:, 1:])
    assert fused.complete.tolist() == [True, True]


def test_stopped_gradient_reaches_the_fusion_only_through_the_image() -> None:
    network = network_of("concat+lrrnet(t1c,t2f,n=2)")
    network.inputs.stop_gradient = True
    output = network(torch.randn(1, 3, 12, 12), torch.ones(1, 3, dtype=torch.bool))
    output.logits.sum().backward(retain_graph=True)
    assert all(p.grad is None for p in network.inputs.parameters())
    output.fused[0].image.square().sum().backward()
    assert all(p.grad is not None for p in network.inputs.parameters())


def test_the_drawn_image_shares_the_encoder_and_is_no_input() -> None:
    network = network_of("concat>image(t1c,t2f)")
    output = network(torch.randn(2, 3, 10, 14), torch.tensor([[True, True, True], [True, True, False]]))
    (fused,) = output.fused
    assert fused.image.shape[:2] == (2, 1)
    assert fused.complete.tolist() == [True, False]
    assert list(fused.sources) == ["t1c", "t2f"]
    fused.image.square().sum().backward()
    assert all(p.grad is not None for p in network.encoders.parameters())
    assert all(p.grad is None for p in network.heads.parameters())
    assert network.inputs.channels == 3


@pytest.mark.parametrize(
    ("text", "read"),
    [("concat(t2f,t1c)", ("t1c", "t2f")), ("separate(t1n,t2f)[mean]", ("t1n", "t2f")), ("concat>image(t1c,t2f)", None)],
)
def test_plans_name_their_modalities(text: str, read: tuple[str, ...] | None) -> None:
    plan, available = parse_plan(text), ("t1n", "t1c", "t2f")
    assert parse_plan(str(plan)) == plan
    assert plan.modalities(available) == (read or available)
    assert network_of(text) is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("concat(t1c,t2w)", "reads the modality 't2w'"),
        ("concat(t1c,t1n)+lrrnet(t1c,t2f)", "reads the modality 't2f'"),
        ("concat>image(t1c,t3)", "reads the modality 't3'"),
    ],
)
def test_plans_that_read_what_is_not_there(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_plan(text).modalities(("t1n", "t1c", "t2f"))


@pytest.mark.parametrize(
    "text", ["concat(t1c)", "only(t1c,t2f)", "concat>image", "concat>mean(t1c)", "concat>image(n=2)"]
)
def test_plans_that_say_nothing_possible(text: str) -> None:
    with pytest.raises(SpecError, match="plan"):
        parse_plan(text)


def test_an_image_fusion_that_names_no_modality_reads_all() -> None:
    inputs = Inputs(parse_plan("concat+mean_image"), ("a", "b"))
    images = torch.randn(1, 2, 4, 4)
    streams, _, _ = inputs(images, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(streams[0][:, 2], images.mean(1))
