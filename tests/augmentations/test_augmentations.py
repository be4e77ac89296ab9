"""What every augmentation promises, and what ``strong`` does to intensities and grids, against scipy and by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from mrfusion import families
from mrfusion.augmentations._base import Augmentation, Samples
from mrfusion.augmentations._intensity import bent, blurred, coarsened, contrasted
from mrfusion.augmentations.strong import Strong
from mrfusion.errors import SpecError

NAMES = families.names("augmentations")
GRIDS = [(12, 14), (8, 12, 14), (4, 14, 14)]
CHOICES = [(name, grid) for name in NAMES for grid in GRIDS]
SEEDS = list(range(12))


def batch_of(grid: Sequence[int], count: int = len(SEEDS), seed: int = 0) -> Samples:
    """Two modalities, zero in a frame, and labels inside; the first axis of a volume has points 5 mm apart."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 2, *grid)
    inside = tuple(slice(1, -1) for _ in grid)
    inner = images[(slice(None), slice(None), *inside)]
    inner.copy_(torch.randn(inner.shape, generator=generator) + 3)
    labels = torch.zeros(count, *grid, dtype=torch.uint8)
    labels[(slice(None), *(slice(1, 3) for _ in grid))] = 2
    spacing = torch.ones(count, len(grid))
    if grid[0] == 4:
        spacing[:, 0] = 5.0
    return Samples(images, labels, spacing)


def choice(name: str) -> Augmentation:
    return families.load("augmentations", name)()


def part(samples: Samples, places: list[int]) -> Samples:
    return Samples(samples.images[places], samples.labels[places], samples.spacing_mm[places])


@pytest.mark.parametrize(("name", "grid"), CHOICES)
def test_a_sample_depends_on_its_seed_alone(name: str, grid: tuple[int, ...]) -> None:
    samples, change = batch_of(grid), choice(name)
    kept = samples.images.clone(), samples.labels.clone()
    state = torch.get_rng_state()
    images, labels = change(samples, SEEDS)
    assert torch.equal(torch.get_rng_state(), state), "torch's own random state is left alone"
    assert torch.equal(samples.images, kept[0])
    assert torch.equal(samples.labels, kept[1])
    order = [7, 2, 11, 0, 5]
    others = change(part(samples, order), [SEEDS[place] for place in order])
    torch.testing.assert_close(others[0], images[order], rtol=0, atol=2e-5)
    assert torch.equal(others[1], labels[order])
    assert not torch.equal(images, change(samples, [seed + 100 for seed in SEEDS])[0])


@pytest.mark.parametrize(("name", "grid"), CHOICES)
def test_shapes_labels_and_background_stay(name: str, grid: tuple[int, ...]) -> None:
    samples = batch_of(grid)
    images, labels = choice(name)(samples, SEEDS)
    assert (images.shape, labels.shape) == (samples.images.shape, samples.labels.shape)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.uint8)
    assert images.isfinite().all()
    assert set(labels.unique().tolist()) <= {0, 2}
    empty = Samples(torch.zeros_like(samples.images), samples.labels, samples.spacing_mm)
    assert not choice(name)(empty, SEEDS)[0].any(), "what is background everywhere stays background"


@pytest.mark.parametrize(("name", "grid"), CHOICES)
def test_labels_go_where_their_image_goes(name: str, grid: tuple[int, ...]) -> None:
    labels = torch.zeros(len(SEEDS), *grid, dtype=torch.uint8)
    labels[(slice(None), *(slice(1, n // 2 + 1) for n in grid))] = 1
    images = labels[:, None].float().repeat(1, 2, *[1] * len(grid))
    still = batch_of(grid)
    turned, turned_labels = choice(name)(Samples(images, labels, still.spacing_mm), SEEDS)
    assert ((turned == 0).all(1) & (turned_labels == 1)).float().mean() < 0.02
    assert turned_labels.ne(labels).any(), "some sample was turned or mirrored"


def test_changes_meet_their_share_of_samples() -> None:
    samples = batch_of((12, 14), count=600)
    still = Strong(rotate_deg=0, smallest=1, largest=1, mirror=False)
    images, labels = still(samples, list(range(600)))
    assert torch.equal(labels, samples.labels)
    changed = float((images != samples.images).flatten(1).any(1).float().mean())
    untouched = 0.9 * (1 - 0.2 * 0.75) * 0.85 * 0.85 * (1 - 0.25 * 0.75) * 0.9 * 0.7
    assert abs(changed - (1 - untouched)) < 0.05
    assert torch.equal(Strong(share=0, mirror=False)(samples, list(range(600)))[0], samples.images)


def test_turns_are_in_millimetres() -> None:
    """On a grid with points twice as far apart along the rows a disc stays a disc, not an ellipse."""
    rows, columns = torch.meshgrid(torch.arange(-20, 21) * 2.0, torch.arange(-40, 41) * 1.0, indexing="ij")
    disc = (((rows - 4) ** 2 + columns**2) < 20**2).float().repeat(40, 1, 1, 1)
    samples = Samples(disc, disc[:, 0].to(torch.uint8), torch.tensor([[2.0, 1.0]]).expand(40, 2))
    change = Strong(rotate_deg=90, smallest=1, largest=1, mirror=False, share=2)
    labels = change(samples, list(range(40)))[1].bool()
    moved = labels.ne(samples.labels.bool()).flatten(1).any(1)
    assert moved.any()
    for mask in labels[moved]:
        high, wide = float(rows[mask].max() - rows[mask].min()), float(columns[mask].max() - columns[mask].min())
        assert abs(high - wide) <= 4
        centre = math.hypot(float(rows[mask].mean()), float(columns[mask].mean()))
        assert centre == pytest.approx(4, abs=0.7), "the turn is about the middle of the grid"


@pytest.mark.parametrize(("grid", "spacing"), [((4, 14, 14), 1.0), ((8, 14, 14), 4.0)])
def test_slices_of_an_anisotropic_volume_stay_slices(grid: tuple[int, ...], spacing: float) -> None:
    labels = torch.arange(1, grid[0] + 1, dtype=torch.uint8).view(1, -1, 1, 1).expand(30, *grid).contiguous()
    mm = torch.tensor([[spacing, 1.0, 1.0]]).expand(30, 3)
    change = Strong(mirror=False, share=2)
    found = change(Samples(labels[:, None].float(), labels, mm), list(range(30)))[1]
    assert found.ne(labels).any()
    for index in range(grid[0]):
        assert set(found[:, index].unique().tolist()) <= {0, index + 1}


def test_a_volume_turns_about_every_axis() -> None:
    labels = torch.zeros(30, 16, 16, 16, dtype=torch.uint8)
    labels[:, 6:10, 6:10, 2:14] = 1
    found = Strong(mirror=False, share=2)(Samples(labels[:, None].float(), labels, torch.ones(30, 3)), list(range(30)))
    assert all(found[1].ne(labels).any(axis).any() for axis in (1, 2, 3))
    depth = found[1].flatten(2).any(2).sum(1)
    assert int(depth.max()) > 4, "it leaves its slices"


@pytest.mark.parametrize("grid", [(20, 24), (9, 12, 14)])
def test_blur_against_scipy(grid: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).normal(size=grid).astype(np.float32)
    sigma = [0.6, 0.8, 1.0][: len(grid)]
    expected = ndimage.gaussian_filter(image, sigma, mode="nearest", radius=3)
    found = blurred(torch.from_numpy(image)[None, None].repeat(2, 1, *[1] * len(grid)), torch.tensor([sigma, sigma]))
    np.testing.assert_allclose(found[1, 0].numpy(), expected, atol=1e-5)


def test_blur_leaves_an_axis_of_thick_slices_alone() -> None:
    image = torch.randn(1, 1, 6, 10, 10, generator=torch.Generator().manual_seed(0))
    found = blurred(image, torch.tensor([[0.1, 1.0, 1.0]]))
    alone = blurred(image[:, :, 2], torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(found[:, :, 2], alone, atol=1e-5, rtol=0)


def test_contrast_by_hand() -> None:
    image = torch.tensor([0.0, 1.0, 2.0, 5.0]).view(1, 1, 2, 2)
    found = contrasted(image, torch.tensor([[1.25]])).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 0.75, 2.0, 5.0]))  # mean 2; ends are kept
    found = contrasted(image, torch.tensor([[0.5]])).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, 1.5, 2.0, 3.5]))


@pytest.mark.parametrize("inverted", [False, True])
def test_gamma_keeps_mean_deviation_and_order(inverted: bool) -> None:
    image = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    exponent = torch.tensor([[0.7, 1.0, 1.5]]).repeat(2, 1)
    found = bent(image, exponent, inverted=inverted)
    torch.testing.assert_close(found[:, 1], image[:, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.mean((2, 3)), image.mean((2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((2, 3)), image.std((2, 3)), atol=1e-5, rtol=0)
    assert torch.equal(found[0, 0].flatten().argsort(), image[0, 0].flatten().argsort())
    darkest = ((image - image.amin((2, 3), keepdim=True)) / (image.amax((2, 3), keepdim=True) -
               image.amin((2, 3), keepdim=True)))[0, 2]  # fmt: skip
    curve = 1 - (1 - darkest) ** 1.5 if inverted else darkest**1.5
    expected = (curve - curve.mean()) / curve.std() * image[0, 2].std() + image[0, 2].mean()
    torch.testing.assert_close(found[0, 2], expected, atol=1e-4, rtol=0)


def test_low_resolution_has_fewer_values() -> None:
    image = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    found = coarsened(image, torch.tensor([[1.0, 1.0], [0.5, 1.0]]))
    torch.testing.assert_close(found[0], image[0])
    rough = (found[1, 0, 2:-2:2] + found[1, 0, 4::2]) / 2 - found[1, 0, 3:-1:2]
    assert found.shape == image.shape
    assert found[1].diff(dim=1).abs().mean() < 0.6 * image[1].diff(dim=1).abs().mean()
    assert rough.isfinite().all()


WRONG = ["strong(rotate_deg=181)", "strong(smallest=0)", "strong(largest=0.9)", "strong(share=3)", "light(scale=1)"]


@pytest.mark.parametrize("text", [*WRONG, "light(share=2)", "light(noise=-1)"])
def test_numbers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match="augmentation"):
        families.load("augmentations", text)()


def test_what_is_drawn_is_the_same_on_every_layout_in_memory() -> None:
    samples = batch_of((12, 14))
    last = Samples(samples.images.contiguous(memory_format=torch.channels_last), samples.labels, samples.spacing_mm)
    plain: tuple[Tensor, Tensor] = Strong()(samples, SEEDS)
    torch.testing.assert_close(Strong()(last, SEEDS)[0], plain[0], rtol=0, atol=2e-5)
