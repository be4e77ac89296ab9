"""Random changes of a whole batch at once: flips, rotation and scaling, intensity, noise.

All samples of a batch go through one call of MONAI's batched affine transform instead of one call each; on two cores
that is most of what our loader gains (``bench/train_loop.py``). Each sample has a random stream of its own, named by
its number, so that neither workers nor processes nor the company in a batch change what happens to it.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from monai.networks.layers import AffineTransform
from torch import Generator, Tensor

from mrfusion.spec import Augmentation

_LINEAR = AffineTransform(mode="bilinear", padding_mode="zeros", zero_centered=True, align_corners=True)
_NEAREST = AffineTransform(mode="nearest", padding_mode="zeros", zero_centered=True, align_corners=True)


def augment(
    images: Float[Tensor, "b m *xyz"], labels: UInt8[Tensor, "b *xyz"], settings: Augmentation, seeds: Sequence[int]
) -> tuple[Float[Tensor, "b m *xyz"], UInt8[Tensor, "b *xyz"]]:
    """Changed images and labels, one seed a sample; background (exactly 0) stays 0."""
    random = [Generator().manual_seed(seed) for seed in seeds]
    if settings.share and (settings.rotate_deg or settings.scale):
        images, labels = _turn(images, labels, settings, random)
    if settings.flip:
        images, labels = _flip(images, labels, random)
    images = _intensity(images, settings, random)
    return images, labels


def _turn(images: Tensor, labels: Tensor, settings: Augmentation, random: list[Generator]) -> tuple[Tensor, Tensor]:
    """Rotate about the slice axis and scale, a share of the samples; images linearly, labels by nearest voxel."""
    theta = _affine(images.ndim - 2, settings, random)
    chosen = (_uniform(random, 1).flatten() < settings.share).nonzero().flatten()
    if len(chosen) == 0:
        return images, labels
    chosen, theta = chosen.to(images.device), theta[chosen].to(images.device)
    turned = _LINEAR(images[chosen], theta)
    turned_labels = _NEAREST(labels[chosen].unsqueeze(1).to(images.dtype), theta)
    images = images.index_copy(0, chosen, turned)
    return images, labels.index_copy(0, chosen, turned_labels.squeeze(1).to(labels.dtype))


def _affine(dimensions: int, settings: Augmentation, random: list[Generator]) -> Float[Tensor, "b k k"]:
    angle = math.radians(settings.rotate_deg) * (2 * _uniform(random, 1).flatten() - 1)
    scale = 1 + settings.scale * (2 * _uniform(random, 1).flatten() - 1)
    theta = torch.eye(dimensions + 1).repeat(len(random), 1, 1)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows, columns = dimensions - 2, dimensions - 1
    theta[:, rows, rows], theta[:, rows, columns] = cosine, -sine
    theta[:, columns, rows], theta[:, columns, columns] = sine, cosine
    return theta


def _flip(images: Tensor, labels: Tensor, random: list[Generator]) -> tuple[Tensor, Tensor]:
    """Mirror along each axis, each sample with probability one half."""
    for axis in range(1, labels.ndim):
        mask = (_uniform(random, 1).flatten() < 0.5).to(images.device)
        images = torch.where(mask.view(-1, *[1] * (images.ndim - 1)), images.flip(axis + 1), images)
        labels = torch.where(mask.view(-1, *[1] * (labels.ndim - 1)), labels.flip(axis), labels)
    return images, labels


def _intensity(images: Tensor, settings: Augmentation, random: list[Generator]) -> Tensor:
    """Contrast, brightness, gamma and noise, drawn for each modality of each sample; background stays 0."""

    def drawn(low: float, high: float) -> Tensor:
        values = _uniform(random, images.shape[1]).view(*images.shape[:2], *[1] * (images.ndim - 2))
        return (low + (high - low) * values).to(images.device)

    inside = images != 0
    changed = images
    if settings.gamma:
        changed = _gamma(changed, torch.exp(drawn(-settings.gamma, settings.gamma)))
    changed = changed * drawn(1 - settings.contrast, 1 + settings.contrast)
    changed = changed + drawn(-settings.brightness, settings.brightness)
    if settings.noise:
        changed = changed + drawn(0, settings.noise) * _noise(images, random)
    return torch.where(inside, changed, 0.0)


def _gamma(images: Tensor, exponent: Tensor) -> Tensor:
    grid = tuple(range(2, images.ndim))
    low, high = images.amin(grid, keepdim=True), images.amax(grid, keepdim=True)
    width = (high - low).clamp(min=1e-6)
    return ((images - low) / width).pow(exponent) * width + low


def _noise(images: Tensor, random: list[Generator]) -> Tensor:
    """Standard normal noise, made on the device of the images from a seed of each sample's own stream.

    Contiguous, because random numbers are laid down in the order of memory, and the images' order depends on the batch.
    """
    noise = torch.empty_like(images, memory_format=torch.contiguous_format)
    for sample, stream in zip(noise, random, strict=True):
        sample.normal_(generator=Generator(images.device).manual_seed(stream.initial_seed() ^ 0x5EED))
    return noise


def _uniform(random: list[Generator], count: int) -> Float[Tensor, "b n"]:
    return torch.stack([torch.rand(count, generator=stream) for stream in random])
