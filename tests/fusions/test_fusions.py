"""Every fusion keeps one contract; a new file in the family is tested the moment it exists."""

import math

import pytest
import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.fusions._base import Fused, Fusion

CHANNELS = 8
GRIDS = {2: (5, 7), 3: (3, 5, 4)}
NOT_THE_MEAN_AT_START = {"max"}  # documented in their docstrings

EXCHANGING = [f"{name}(exchange=true)" for name in ("concat", "energy", "lowrank", "max", "moments")]

every = pytest.mark.parametrize("name", [*families.names("fusions"), *EXCHANGING])
dimensions = pytest.mark.parametrize("dimensions", [2, 3])


def make(name: str, modalities: int = 3, dimensions: int = 2) -> Fusion:
    torch.manual_seed(0)
    fusion = families.load("fusions", name)(modalities, CHANNELS, dimensions)
    assert isinstance(fusion, Fusion)
    return fusion


def shaken(fusion: Fusion) -> Fusion:
    """The fusion away from its start, so that every parameter matters; in evaluation, so that nothing is random."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return fusion.eval()


def streams_of(batch: int, modalities: int, dimensions: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(batch, modalities, CHANNELS, *GRIDS[dimensions], generator=torch.Generator().manual_seed(seed))


def present_of(*rows: str) -> Tensor:
    """``"101"``: the first and third modality are present."""
    return torch.tensor([[letter == "1" for letter in row] for row in rows])


def mean_over(streams: Tensor, present: Tensor) -> Tensor:
    """The plain reference: case by case, the mean of the present streams."""
    return torch.stack([case[mask].mean(0) for case, mask in zip(streams, present, strict=True)])


@every
@dimensions
@pytest.mark.parametrize("modalities", [1, 2, 5])
def test_shapes(name: str, dimensions: int, modalities: int) -> None:
    streams = streams_of(2, modalities, dimensions)
    fused = make(name, modalities, dimensions)(streams, torch.ones(2, modalities, dtype=torch.bool))
    assert isinstance(fused, Fused)
    assert fused.streams.shape == streams.shape
    assert fused.skip.shape == (2, CHANNELS, *GRIDS[dimensions])
    assert fused.skip.isfinite().all()
    assert fused.streams.isfinite().all()


@every
@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (2, 2), (33, 17)])
def test_odd_and_tiny_grids(name: str, grid: tuple[int, int]) -> None:
    streams = torch.randn(1, 2, CHANNELS, *grid)
    assert make(name, 2)(streams, present_of("11")).skip.shape == (1, CHANNELS, *grid)


@every
@dimensions
def test_gradients_reach_every_present_modality(name: str, dimensions: int) -> None:
    streams = streams_of(2, 3, dimensions).requires_grad_()
    fused = shaken(make(name, 3, dimensions))(streams, present_of("111", "111"))
    fused.skip.square().sum().backward()
    assert streams.grad is not None
    assert (streams.grad.flatten(2).abs().amax(2) > 0).all()


@every
def test_gradients_reach_every_parameter(name: str) -> None:
    fusion = shaken(make(name)).train()
    streams, present = streams_of(4, 3).requires_grad_(), present_of("111", "111", "111", "111")
    told = (fusion(streams, present).handed,) if fusion.reads_finer else ()  # as if from a finer level
    fused = fusion(streams, present, *told)
    sum(value.square().sum() for value in (fused.skip, fused.streams, *fused.state.values())).backward()
    idle = [n for n, p in fusion.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle


@every
@dimensions
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), float("-inf"), 1e30])
def test_what_stands_in_an_absent_slot_changes_not_a_bit(name: str, dimensions: int, filling: float) -> None:
    present = present_of("101", "010", "111")
    fusion, plain = shaken(make(name, 3, dimensions)), streams_of(3, 3, dimensions)
    filled = torch.where(present.view(3, 3, *[1] * (dimensions + 1)), plain, filling)
    expected, found = fusion(plain, present), fusion(filled, present)
    assert torch.equal(found.skip, expected.skip)
    assert torch.equal(found.streams[present], expected.streams[present])


@every
@pytest.mark.parametrize("filling", [0.0, float("nan"), float("inf")])
def test_an_absent_slot_gets_no_gradient(name: str, filling: float) -> None:
    present = present_of("101", "011")
    streams = torch.where(present.view(2, 3, 1, 1, 1), streams_of(2, 3), filling).requires_grad_()
    fusion = shaken(make(name))
    fused = fusion(streams, present)
    (fused.skip.square().sum() + fused.streams[present].square().sum()).backward()
    assert streams.grad is not None
    assert torch.equal(streams.grad[~present], torch.zeros_like(streams.grad[~present]))
    assert (streams.grad[present].flatten(1).abs().amax(1) > 0).all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


@every
def test_a_case_does_not_depend_on_its_company(name: str) -> None:
    fusion, present = shaken(make(name)), present_of("101", "111")
    streams = streams_of(2, 3)
    together = fusion(streams, present).skip
    alone = torch.cat([fusion(streams[i : i + 1], present[i : i + 1]).skip for i in range(2)])
    torch.testing.assert_close(together, alone)


@every
def test_absence_equals_the_fusion_of_the_subset_where_no_parameter_knows_the_modality(name: str) -> None:
    fusion = make(name)
    if any(True for _ in fusion.parameters()):
        pytest.skip(f"{name} has parameters per modality; its start is tested against the mean of the subset")
    streams = streams_of(2, 3)
    found = fusion(streams, present_of("101", "101")).skip
    torch.testing.assert_close(found, make(name, 2)(streams[:, [0, 2]], present_of("11", "11")).skip)


@every
@dimensions
@pytest.mark.parametrize("rows", [("111", "111"), ("101", "010"), ("110", "011")])
def test_starts_as_the_mean_of_the_present(name: str, dimensions: int, rows: tuple[str, str]) -> None:
    fusion, streams, present = make(name, 3, dimensions).eval(), streams_of(2, 3, dimensions), present_of(*rows)
    found, expected = fusion(streams, present).skip, mean_over(streams, present)
    if name in NOT_THE_MEAN_AT_START:
        assert "not start as the mean" in " ".join((type(fusion).__doc__ or "").split())
        assert not torch.allclose(found, mean_over(streams, torch.ones_like(present)))
    else:
        torch.testing.assert_close(found, expected)


@every
def test_state_round_trip(name: str) -> None:
    fusion, other = shaken(make(name)), make(name).eval()
    other.load_state_dict(fusion.state_dict())
    streams, present = streams_of(2, 3), present_of("111", "101")
    assert torch.equal(fusion(streams, present).skip, other(streams, present).skip)


@every
def test_bfloat16(name: str) -> None:
    streams, present = streams_of(2, 3), present_of("111", "101")
    fusion = shaken(make(name))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fusion(streams.bfloat16(), present).skip
    assert found.isfinite().all()
    torch.testing.assert_close(found.float(), fusion(streams, present).skip, rtol=0.1, atol=0.1)


@every
def test_records_are_detached(name: str) -> None:
    streams = streams_of(2, 3).requires_grad_()
    for value in make(name)(streams, present_of("111", "101")).record.values():
        assert not value.requires_grad


def test_max_by_hand() -> None:
    streams = torch.tensor([[-3.0, 2.0, 5.0], [-3.0, -2.0, 9.0]]).view(2, 3, 1, 1, 1)
    fusion = families.load("fusions", "max")(3, 1, 2)
    assert fusion(streams, present_of("110", "110")).skip.flatten().tolist() == [2.0, -2.0]


def test_concat_is_a_1x1_convolution_of_the_scaled_present_streams() -> None:
    fusion = shaken(make("concat"))
    streams, present = streams_of(2, 3), present_of("111", "101")
    weight, bias = fusion.state_dict()["mix.weight"], fusion.state_dict()["mix.bias"]
    scaled = streams * present.view(2, 3, 1, 1, 1) * torch.tensor([1.0, 3 / 2]).view(2, 1, 1, 1, 1)
    expected = nn.functional.conv2d(scaled.flatten(1, 2), weight[..., None, None], bias)
    torch.testing.assert_close(fusion(streams, present).skip, expected)
    assert weight.shape == (CHANNELS, 3 * CHANNELS)
    assert math.isfinite(weight.sum())


@pytest.mark.parametrize("name", EXCHANGING)
@pytest.mark.parametrize("rows", [("111", "111"), ("101", "010")])
def test_what_is_handed_back_starts_as_the_identity_and_averages_to_the_joint_map(
    name: str, rows: tuple[str, str]
) -> None:
    streams, present = streams_of(2, 3), present_of(*rows)
    start = make(name).eval()(streams, present)
    torch.testing.assert_close(start.streams[present], streams[present])
    moved = shaken(make(name))(streams, present)
    assert not torch.allclose(moved.streams[present], streams[present])
    torch.testing.assert_close(moved.skip, mean_over(moved.streams, present))
