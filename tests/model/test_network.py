"""The network of a plan: where streams meet, what absence does, and what the plan costs."""

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.model.inputs import Inputs
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan

NAMES = ("a", "b", "c")
PLANS = ("concat", "only(b)", "concat+mean_image(a,c)", "fused+mean_image(a,c)", "separate[mean]",
         "separate[mean,concat]", "separate>mean", "separate[concat]>mean")  # fmt: skip


def make(text: str, *, task: str = "segmentation", outputs: int = 2, dimensions: int = 2) -> FusionNetwork:
    torch.manual_seed(0)
    plan = parse_plan(text)
    backbone = families.load("backbones", "unet")(dimensions, base=4, stages=1, norm="instance")
    return build_network(plan, plan.modalities(NAMES), backbone, task=task, out_channels=outputs).eval()


def present_of(*rows: str) -> Tensor:
    return torch.tensor([[letter == "1" for letter in row] for row in rows])


def images_for(network: FusionNetwork, batch: int = 2, grid: tuple[int, ...] = (8, 8)) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, len(network.inputs.modalities), *grid, generator=generator)


@pytest.mark.parametrize("text", PLANS)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_segmentation_on_odd_grids(text: str, dimensions: int) -> None:
    network = make(text, dimensions=dimensions)
    images = images_for(network, grid=(7, 9, 5)[:dimensions])
    output = network(images, torch.ones(images.shape[:2], dtype=torch.bool))
    assert output.logits.shape == (2, 2, *images.shape[2:])
    assert output.logits.isfinite().all()


@pytest.mark.parametrize("text", PLANS)
def test_classification(text: str) -> None:
    network = make(text, task="classification", outputs=5)
    images = images_for(network)
    assert network(images, torch.ones(images.shape[:2], dtype=torch.bool)).logits.shape == (2, 5)


@pytest.mark.parametrize("text", PLANS)
def test_padding_is_cut_back_at_its_place(text: str) -> None:
    """The logits of an odd grid are those of the grid padded with zeros by hand."""
    network = make(text)
    images = images_for(network, grid=(7, 9))
    present = torch.ones(images.shape[:2], dtype=torch.bool)
    padded = torch.zeros(*images.shape[:2], 8, 10)
    padded[:, :, :7, :9] = images
    assert torch.equal(network(images, present).logits, network(padded, present).logits[:, :, :7, :9])


@pytest.mark.parametrize("text", PLANS)
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), 1e30])
def test_an_absent_modality_changes_not_a_bit(text: str, filling: float) -> None:
    network = make(text)
    images = images_for(network)
    present = torch.ones(images.shape[:2], dtype=torch.bool)
    if images.shape[1] > 1:
        present[0, 0] = present[1, -1] = False
    filled = torch.where(present[:, :, None, None], images, filling)
    assert torch.equal(network(filled, present).logits, network(images, present).logits)


def test_late_fusion_is_the_mean_of_the_present_networks() -> None:
    network = make("separate>mean")
    images = images_for(network)
    alone = [network(images, present_of(row, row)).logits for row in ("100", "010", "001")]
    torch.testing.assert_close(network(images, present_of("111", "111")).logits, torch.stack(alone).mean(0))
    torch.testing.assert_close(network(images, present_of("101", "101")).logits, (alone[0] + alone[2]) / 2)


def test_late_fusion_without_levels_keeps_its_streams_apart() -> None:
    network = make("separate>mean")
    images = images_for(network).requires_grad_()
    network(images, present_of("100", "100")).logits.square().sum().backward()
    assert images.grad is not None
    assert images.grad[:, 0].abs().sum() > 0
    assert images.grad[:, 1:].abs().sum() == 0


def test_only_reads_one_modality_and_has_no_fusion() -> None:
    network = make("only(b)")
    assert network.inputs.modalities == ("b",)
    assert len(network.fusions) == 0
    assert len(network.encoders) == 1


def test_separate_has_an_encoder_per_modality_and_the_fusions_that_the_plan_names() -> None:
    network = make("separate[mean,concat]")
    assert [type(fusion).__name__ for fusion in network.fusions] == ["Mean", "Concat"]
    assert [fusion.channels for fusion in network.fusions] == [4, 8]
    assert len(network.encoders) == 3
    assert len(network.heads) == 1
    assert len(make("separate>mean").heads) == 3


def test_the_same_images_everywhere_and_the_mean_is_one_network() -> None:
    """Three equal encoders whose maps are averaged are one encoder."""
    network, single = make("separate[mean]"), make("only(b)")
    for encoder in network.encoders:
        encoder.load_state_dict(single.encoders[0].state_dict())
    network.heads.load_state_dict(single.heads.state_dict())
    images = images_for(single)
    found = network(images.expand(-1, 3, -1, -1), present_of("111", "111")).logits
    torch.testing.assert_close(found, single(images, present_of("1", "1")).logits)


def test_a_fused_image_is_one_more_channel() -> None:
    alone = Inputs(parse_plan("fused+mean_image(a,c)"), ("a", "c"))
    pair = torch.randn(1, 2, 4, 4)
    assert alone(pair, present_of("11"))[0][0].equal(pair.mean(1, keepdim=True))
    inputs = Inputs(parse_plan("concat+mean_image(a,c)+copy(b)"), NAMES)
    assert inputs.channels == 5
    images = torch.randn(2, 3, 4, 4)
    (stream,), present, _ = inputs(images, present_of("111", "111"))
    expected = torch.cat((images, (images[:, :1] + images[:, 2:]) / 2, images[:, 1:2]), 1)
    torch.testing.assert_close(stream, expected)
    assert present.tolist() == [[True], [True]]


def test_a_plan_whose_levels_do_not_fit_the_network() -> None:
    with pytest.raises(SpecError, match=r"names 3 levels, the network's encoder has 2"):
        make("separate[mean,mean,max]")


def test_first_weights_do_not_depend_on_torchs_state() -> None:
    from mrfusion.training.assemble import make_network
    from tiny import cohort_of, loaded_cases, run_spec

    cohort = cohort_of(loaded_cases(2))
    first = make_network(run_spec(), cohort).state_dict()
    torch.rand(17)
    again, other = make_network(run_spec(), cohort).state_dict(), make_network(run_spec(seed=8), cohort).state_dict()
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert any(not torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize(("one", "other"), [
    ("separate[mean]", "separate[energy(width=8)]"), ("separate[mean,mmtm]", "separate[lowrank,attention]"),
    ("separate>mean", "separate[mmtm]>mean"), ("concat", "concat+mean_image(a,c)"),
    ("concat(a,b)+zeros", "concat(a,b)+lrrnet(a,b,n=4)"), ("concat", "concat>image(a,b)"),
])  # fmt: skip
def test_what_two_plans_have_in_common_begins_alike(one: str, other: str) -> None:
    networks = make(one), make(other)
    first, second = (network.state_dict() for network in networks)
    same_input = networks[0].inputs.channels == networks[1].inputs.channels
    levels = {name for name in first.keys() & second.keys() if same_input or not name.startswith("encoders.0.0.")}
    common = {name for name in levels if not name.startswith(("fusions.", "inputs."))}
    assert {name.split(".")[0] for name in common} == {"encoders", "heads"}
    for name in common:
        assert torch.equal(first[name], second[name]), name


def test_first_weights_follow_the_seed_and_leave_the_random_numbers_alone() -> None:
    network = make("separate[mmtm]")
    encoders = [torch.cat([p.flatten() for p in encoder.parameters()]) for encoder in network.encoders]
    assert not torch.equal(encoders[0], encoders[1])
    torch.manual_seed(0)
    backbone = families.load("backbones", "unet")(2, base=4, stages=1, norm="instance")
    plan = parse_plan("separate[mmtm]")
    expected = torch.Generator().manual_seed(0).get_state()
    again = build_network(plan, NAMES, backbone, task="segmentation", out_channels=2)
    assert torch.equal(torch.get_rng_state(), expected)
    torch.manual_seed(1)
    third = build_network(plan, NAMES, backbone, task="segmentation", out_channels=2)
    weights = [next(iter(each.encoders.parameters())) for each in (network, again, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
