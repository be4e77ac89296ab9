"""Augmentation: what happens to a sample depends on its seed alone; labels go where their image goes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from mrfusion.augmentations._base import Augmentation, Samples
from mrfusion.augmentations.light import Light

OFF: dict[str, Any] = {
    "flip": False,
    "rotate_deg": 0,
    "scale": 0,
    "brightness": 0,
    "contrast": 0,
    "gamma": 0,
    "noise": 0,
}
GRIDS = [(12, 14), (6, 12, 14)]


def only(**settings: object) -> Augmentation:
    """An augmentation with everything off but these."""
    return Light(**{**OFF, "share": 1.0, **settings})


def augment(images: Tensor, labels: Tensor, how: Augmentation, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of grids with points one millimetre apart."""
    return how(Samples(images, labels, torch.ones(len(images), labels.ndim - 1)), seeds)


def batch_of(count: int = 4, grid: tuple[int, ...] = (12, 14), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two modalities, zero in a frame, and labels inside."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 2, *grid)
    inside = tuple(slice(2, -2) for _ in grid)
    inner = images[(slice(None), slice(None), *inside)]
    inner.copy_(torch.randn(inner.shape, generator=generator) + 3)
    labels = torch.zeros(count, *grid, dtype=torch.uint8)
    labels[(slice(None), *(slice(3, 6) for _ in grid))] = 1
    return images, labels


@pytest.mark.parametrize("grid", GRIDS)
def test_same_seed_same_sample(grid: tuple[int, ...]) -> None:
    images, labels = batch_of(grid=grid)
    first, again = (augment(images, labels, Light(), [5, 6, 7, 8]) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    other = augment(images, labels, Light(), [9, 6, 7, 8])
    assert not torch.equal(first[0][0], other[0][0])
    assert torch.equal(first[0][1:], other[0][1:]), "another sample's seed changes nothing here"


@pytest.mark.parametrize("grid", GRIDS)
def test_a_sample_does_not_depend_on_its_company_or_place(grid: tuple[int, ...]) -> None:
    images, labels = batch_of(grid=grid)
    together = augment(images, labels, Light(), [5, 6, 7, 8])
    for place, seed in enumerate([5, 6, 7, 8]):
        alone = augment(images[place : place + 1], labels[place : place + 1], Light(), [seed])
        torch.testing.assert_close(alone[0][0], together[0][place], rtol=0, atol=1e-6)
        assert torch.equal(alone[1][0], together[1][place])
    order = [2, 0, 3, 1]
    shuffled = augment(images[order], labels[order], Light(), [7, 5, 8, 6])
    torch.testing.assert_close(shuffled[0], together[0][order], rtol=0, atol=1e-6)


def test_the_order_in_memory_changes_nothing() -> None:
    images, labels = batch_of()
    plain = augment(images, labels, Light(), [1, 2, 3, 4])[0]
    last = augment(images.contiguous(memory_format=torch.channels_last), labels, Light(), [1, 2, 3, 4])[0]
    torch.testing.assert_close(last, plain, rtol=0, atol=1e-6)


def test_torchs_own_random_state_is_neither_read_nor_moved() -> None:
    images, labels = batch_of()
    state = torch.get_rng_state()
    first = augment(images, labels, Light(), [1, 2, 3, 4])[0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(augment(images, labels, Light(), [1, 2, 3, 4])[0], first)


def test_what_goes_in_is_left_alone() -> None:
    images, labels = batch_of()
    kept = images.clone(), labels.clone()
    augment(images, labels, Light(), [1, 2, 3, 4])
    assert torch.equal(images, kept[0])
    assert torch.equal(labels, kept[1])


@pytest.mark.parametrize("settings", [only(), only(share=0.0, rotate_deg=30, scale=0.3)])
def test_switched_off_is_the_identity(settings: Augmentation) -> None:
    images, labels = batch_of()
    found = augment(images, labels, settings, [1, 2, 3, 4])
    assert torch.equal(found[0], images)
    assert torch.equal(found[1], labels)


def test_share_is_the_share_of_samples_that_turn() -> None:
    images, labels = (part.repeat(100, *[1] * (part.ndim - 1)) for part in batch_of(4))
    turned = augment(images, labels, only(share=0.25, rotate_deg=30), list(range(400)))[0]
    moved = (turned != images).flatten(1).any(1).sum()
    assert 70 < int(moved) < 130


@pytest.mark.parametrize("settings", [only(noise=0.3), only(brightness=0.5), only(gamma=0.3), only(contrast=0.3),
                                      Light(share=0.0)])  # fmt: skip
def test_background_stays_zero(settings: Augmentation) -> None:
    images, labels = batch_of()
    changed = augment(images, labels, settings, [1, 2, 3, 4])[0]
    assert (changed == 0).sum() == (images == 0).sum()
    assert not torch.equal(changed, images)
    assert changed.isfinite().all()


def test_turning_brings_no_foreground_from_outside() -> None:
    """What a rotation brings in from beyond the edge is background."""
    images, labels = torch.ones(8, 1, 16, 16), torch.ones(8, 16, 16, dtype=torch.uint8)
    turned, turned_labels = augment(images, labels, only(rotate_deg=45, scale=0.3), list(range(8)))
    assert float(turned.min()) >= 0
    assert float(turned.max()) <= 1 + 1e-5
    assert (turned_labels == 0).any()
    assert set(turned_labels.unique().tolist()) <= {0, 1}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("settings", [only(flip=True), only(rotate_deg=25, scale=0.2), only(flip=True, rotate_deg=25)])
def test_labels_go_where_their_image_goes(grid: tuple[int, ...], settings: Augmentation) -> None:
    labels = torch.zeros(6, *grid, dtype=torch.uint8)
    labels[(slice(None), *(slice(1, n // 2 + 1) for n in grid))] = 1
    images = labels[:, None].float().repeat(1, 2, *[1] * len(grid))
    turned, turned_labels = augment(images, labels, settings, list(range(6)))
    clear = (turned[:, 0] - 0.5).abs() > 0.45
    assert torch.equal((turned[:, 0] > 0.5)[clear], (turned_labels == 1)[clear])
    assert clear.float().mean() > 0.7
    assert torch.equal(turned[:, 0], turned[:, 1]), "all modalities move together"


def test_flips_are_flips_and_come_in_every_combination() -> None:
    image = torch.arange(1.0, 13).view(1, 1, 3, 4)
    labels = image[0].to(torch.uint8)
    found = set()
    for seed in range(40):
        flipped, flipped_labels = augment(image, labels, only(flip=True), [seed])
        assert torch.equal(flipped[0, 0].to(torch.uint8), flipped_labels[0])
        found |= {axes for axes in ((), (0,), (1,), (0, 1)) if torch.equal(flipped[0, 0], image[0, 0].flip(axes))}
    assert found == {(), (0,), (1,), (0, 1)}


def test_rotation_keeps_slices_in_their_plane() -> None:
    """In 3-D the turn is about the slice axis: a slice of its own label stays that slice."""
    labels = torch.arange(1, 7, dtype=torch.uint8).view(1, 6, 1, 1).expand(1, 6, 12, 12).contiguous()
    turned = augment(labels[:, None].float(), labels, only(rotate_deg=40), [3])[1]
    for index in range(6):
        assert set(turned[0, index].unique().tolist()) <= {0, index + 1}


def test_rotation_against_scipy() -> None:
    """One angle, found by its effect on the labels, is the angle of the image too: scipy turns it the same way."""
    random = np.random.default_rng(0)
    image = ndimage.gaussian_filter(random.normal(size=(33, 33)), 2)
    image = np.where(np.hypot(*np.mgrid[-16:17, -16:17]) < 12, image, 0).astype(np.float32)
    tensor = torch.from_numpy(image)[None, None]
    turned = augment(tensor, torch.zeros(1, 33, 33, dtype=torch.uint8), only(rotate_deg=30), [11])[0][0, 0].numpy()
    angles = np.arange(-30, 30.25, 0.25)
    errors = [np.abs(ndimage.rotate(image, a, reshape=False, order=1) - turned).max() for a in angles]
    assert min(errors) < 0.02 * np.abs(image).max()
    assert np.abs(image - turned).max() > 0.1 * np.abs(image).max()


def test_brightness_contrast_and_noise_stay_in_their_ranges() -> None:
    images, labels = batch_of(200)
    inside = images != 0
    shifted = augment(images, labels, only(brightness=0.2), list(range(200)))[0]
    shift = (shifted - images)[inside]
    assert -0.2 - 1e-5 <= float(shift.min()) < -0.15
    assert 0.15 < float(shift.max()) <= 0.2 + 1e-5
    stretched = augment(images, labels, only(contrast=0.3), list(range(200)))[0]
    ratio = (stretched / images)[inside]
    assert 0.7 - 1e-5 <= float(ratio.min()) < 0.75
    assert 1.25 < float(ratio.max()) <= 1.3 + 1e-5
    noisy = augment(images, labels, only(noise=0.4), list(range(200)))[0]
    spread = torch.stack([(noisy - images)[n][inside[n]].std() for n in range(200)])
    assert 0.1 < float(spread.mean()) < 0.3
    assert float(spread.max()) < 0.5


def test_gamma_keeps_the_range_and_the_order() -> None:
    images, labels = batch_of(1)
    changed = augment(images, labels, only(gamma=0.4), [2])[0]
    for before, after in zip(images[0], changed[0], strict=True):
        assert float(after.min()) == pytest.approx(float(before.min()), abs=1e-4)
        assert float(after.max()) == pytest.approx(float(before.max()), abs=1e-4)
        order = before.flatten().argsort()
        assert (after.flatten()[order].diff() >= -1e-5).all()


def test_modalities_are_changed_independently() -> None:
    images = torch.ones(1, 2, 4, 4) * 3
    changed = augment(images, torch.zeros(1, 4, 4, dtype=torch.uint8), only(brightness=0.5), [1])[0]
    assert float(changed[0, 0, 0, 0]) != float(changed[0, 1, 0, 0])
