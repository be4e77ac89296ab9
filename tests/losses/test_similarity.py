"""SF-Net: its fusion loss beside MONAI's structural similarity, and its second decoder that weighs images."""

import pytest
import torch
from monai.losses import SSIMLoss
from torch import Tensor

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.losses._base import FusedImage, Output
from mrfusion.losses.similarity import ssim_of
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("grid", [(14, 17), (12, 13, 11)])
def test_structural_similarity_is_monai_s(grid: tuple[int, ...]) -> None:
    one, other = images(2, 1, *grid), images(2, 1, *grid, seed=1)
    other = 0.6 * one + 0.4 * other
    torch.testing.assert_close(1 - ssim_of(one, other), SSIMLoss(spatial_dims=len(grid))(one, other), rtol=1e-4, atol=0)


def test_an_image_is_like_itself_also_where_an_axis_is_shorter_than_the_window() -> None:
    thin = images(1, 1, 3, 16, 16)
    torch.testing.assert_close(ssim_of(thin, thin), torch.tensor(1.0))
    assert ssim_of(thin, 1 - thin) < 0


def output_of(complete: tuple[bool, bool] = (True, True)) -> Output:
    fused = images(2, 1, 12, 12, seed=3).requires_grad_()
    sources = {"a": images(2, 1, 12, 12, seed=4), "b": images(2, 1, 12, 12, seed=5)}
    return Output(torch.zeros(2, 2, 12, 12), fused=[FusedImage("image", fused, sources, torch.tensor(complete))])


def test_the_loss_is_the_mean_over_sources_of_both_terms() -> None:
    output = output_of()
    found = families.load("losses", "similarity(ssim=0.5)")(True)(output, torch.zeros(1))
    image, sources = output.fused[0].image, output.fused[0].sources.values()
    squared = sum((image - source).square().mean() for source in sources) / 2
    structure = sum(SSIMLoss(spatial_dims=2)(image, source) for source in sources) / 2
    torch.testing.assert_close(found.total, squared + 0.5 * structure, rtol=1e-4, atol=0)
    assert found.terms.keys() == {"squared", "structure"}


def test_a_sample_that_lacks_a_source_counts_nothing() -> None:
    output = output_of((True, False))
    families.load("losses", "similarity")(True)(output, torch.zeros(1)).total.backward()
    grad = output.fused[0].image.grad
    assert grad[0].abs().sum() > 0
    assert grad[1].abs().sum() == 0
    assert families.load("losses", "similarity")(True)(output_of((False, False)), torch.zeros(1)).total == 0


def test_a_plan_without_a_fused_image_is_told() -> None:
    with pytest.raises(SpecError, match="this plan fuses none"):
        families.load("losses", "similarity")(True)(Output(torch.zeros(1, 2, 8, 8)), torch.zeros(1))


def network_of(dimensions: int) -> FusionNetwork:
    torch.manual_seed(0)
    backbone = families.load("backbones", "unet")(dimensions, base=4, stages=2)
    plan = parse_plan("concat>image(a,c)")
    return build_network(plan, ("a", "b", "c"), backbone, task="segmentation", out_channels=2)


@pytest.mark.parametrize("grid", [(10, 12), (8, 6, 10)])
def test_the_second_decoder_weighs_the_images_it_names_in_2_and_3_dimensions(grid: tuple[int, ...]) -> None:
    network, given = network_of(len(grid)), images(2, 3, *grid) + 0.1
    (fused,) = network(given, torch.ones(2, 3, dtype=torch.bool)).fused
    low = torch.minimum(*fused.sources.values())
    high = torch.maximum(*fused.sources.values())
    assert list(fused.sources) == ["a", "c"]
    assert (low - 1e-6 <= fused.image).all()
    assert (fused.image <= high + 1e-6).all()


def test_the_second_decoder_has_no_skip_connection() -> None:
    """Its weights depend on the coarsest map alone, and its loss reaches the encoder through it."""
    network = network_of(2)
    maps = [images(1, channels, 16 // 2**level, 16 // 2**level) for level, channels in enumerate((4, 8, 16))]
    other = [images(1, *one.shape[1:], seed=9) for one in maps[:2]] + maps[2:]
    (drawer,) = network.image_decoders
    assert torch.equal(drawer(maps), drawer(other))
    torch.testing.assert_close(drawer(maps).sum(1), torch.ones(1, 16, 16))
    (fused,) = network(images(1, 3, 16, 16), torch.ones(1, 3, dtype=torch.bool)).fused
    fused.image.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.encoders.parameters())
