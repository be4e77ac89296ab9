"""The learned fusions one by one: their equations by hand, their exact start, windows, many modalities."""

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.fusions._base import Fusion, mean_present

EXACT = ["mean", "mmtm", "attention", "attention(window=2)", "bottleneck"]


def make(text: str, modalities: int = 3, channels: int = 8, dimensions: int = 2) -> Fusion:
    torch.manual_seed(0)
    return families.load("fusions", text)(modalities, channels, dimensions)


def streams_of(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("text", EXACT)
@pytest.mark.parametrize("grid", [(5, 7), (3, 4, 5)])
def test_what_exchanges_starts_as_the_mean_to_the_bit(text: str, grid: tuple[int, ...]) -> None:
    streams, present = streams_of(2, 5, 8, *grid), torch.tensor([[True] * 5, [True, False, True, False, True]])
    fused = make(text, 5, 8, len(grid)).train()(streams, present)
    assert torch.equal(fused.skip, mean_present(streams, present))
    assert torch.equal(fused.streams[present], streams[present])


@pytest.mark.parametrize("text", ["concat", "moments", "lowrank"])
def test_what_only_joins_leaves_the_streams_alone(text: str) -> None:
    streams = streams_of(1, 3, 8, 4, 4)
    assert torch.equal(make(text)(streams, torch.ones(1, 3, dtype=torch.bool)).streams, streams)


def test_mmtm_by_hand() -> None:
    fusion = make("mmtm(ratio=2)", 2, 1)
    assert fusion.squeeze.weight.shape == (2, 2)
    with torch.no_grad():
        fusion.squeeze.weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, -1.0]]))
        fusion.squeeze.bias.copy_(torch.tensor([0.5, 0.0]))
        fusion.excite.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 3.0]]))
    streams = torch.stack((torch.full((2, 2), 1.0), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))).view(1, 2, 1, 2, 2)
    z = 0.5 + 1.0 + 2 * 0.5  # the second unit is negative and cut off
    gates = 2 * torch.sigmoid(torch.tensor([z, -z]))
    fused = fusion(streams, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(fused.record["gates"].flatten(), gates)
    torch.testing.assert_close(fused.skip, (streams * gates.view(1, 2, 1, 1, 1)).mean(1))


def test_lowrank_by_hand() -> None:
    fusion = make("lowrank(rank=2)", 2, 1)
    with torch.no_grad():
        fusion.factors.copy_(torch.tensor([[[[1.0, 2.0]], [[0.0, 1.0]]], [[[0.5, 0.0]], [[1.0, -1.0]]]]))
        fusion.scale.copy_(torch.tensor([3.0, 10.0]))
    a, b = 2.0, 5.0
    streams = torch.tensor([a, b]).view(1, 2, 1, 1, 1)
    both = fusion(streams, torch.tensor([[True, True]])).skip.item()
    assert both == pytest.approx((a + b) / 2 + 3 * (1 + 2 * a) * 0.5 + 10 * a * (1 - b))
    one = fusion(streams, torch.tensor([[True, False]])).skip.item()
    assert one == pytest.approx(a + 3 * (1 + 2 * a) + 10 * a)


def test_moments_by_hand() -> None:
    fusion = make("moments", 3, 1)
    with torch.no_grad():
        fusion.mix.weight.copy_(torch.tensor([[0.0, 1.0]]))
    streams = torch.tensor([1.0, 3.0, 8.0]).view(1, 3, 1, 1, 1)
    found = [fusion(streams, torch.tensor([row])).skip.item() for row in ([True] * 3, [True, True, False])]
    assert found == pytest.approx([13.0, 2.0])
    assert fusion(streams, torch.tensor([[False, True, False]])).skip.item() == 0


def opened(text: str, dimensions: int) -> Fusion:
    fusion = make(text, 2, 8, dimensions)
    with torch.no_grad():
        fusion.gamma.fill_(1.0)
    return fusion


@pytest.mark.parametrize("dimensions", [2, 3])
def test_windows_see_their_own_points_and_no_others(dimensions: int) -> None:
    """A change at one point reaches exactly the points of its window; a grid that windows do not fill works too."""
    fusion, grid = opened("attention(window=2)", dimensions), (5, 4, 3)[:dimensions]
    streams = streams_of(1, 2, 8, *grid)
    changed = streams.clone()
    changed[0, 1][(slice(None), *[0] * dimensions)] = torch.arange(8.0)
    present = torch.ones(1, 2, dtype=torch.bool)
    moved = (fusion(changed, present).streams - fusion(streams, present).streams).abs().amax((0, 1, 2)) > 1e-7
    expected = torch.zeros(grid, dtype=torch.bool)
    expected[tuple(slice(0, 2) for _ in grid)] = True
    assert torch.equal(moved, expected)


def test_one_window_over_everything_is_plain_attention() -> None:
    fusion = opened("attention(heads=1,window=4)", 2)
    streams = streams_of(1, 2, 8, 4, 4)
    tokens = (fusion.norm(streams.movedim(2, -1)) + fusion.names.view(2, 1, 1, 8)).reshape(-1, 8)
    q, k, v = fusion.query(tokens), fusion.key(tokens), fusion.value(tokens)
    expected = fusion.out(torch.softmax(q @ k.T / 8**0.5, 1) @ v).view(2, 4, 4, 8).movedim(-1, 1)
    found = fusion(streams, torch.ones(1, 2, dtype=torch.bool)).streams[0] - streams[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_bottleneck_exchanges_no_more_than_its_tokens() -> None:
    """What one modality adds to another lies in the span of the tokens' values: of rank 1 where there is one token."""
    fusion = make("bottleneck(tokens=1)", 2)
    with torch.no_grad():
        fusion.out.weight.copy_(torch.eye(8))
    streams = streams_of(1, 2, 8, 6, 6)
    change = (fusion(streams, torch.ones(1, 2, dtype=torch.bool)).streams - streams).movedim(2, -1).reshape(-1, 8)
    assert torch.linalg.matrix_rank(change, rtol=1e-4).item() == 1
