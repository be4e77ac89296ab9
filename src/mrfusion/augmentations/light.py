"""A few mild changes: mirrors, a turn and a scaling in the plane of the slices, contrast, brightness, gamma, noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mrfusion.augmentations._base import Augmentation, Samples, mirrored, normal_like, streams, uniform
from mrfusion.augmentations._space import identities, moved_some
from mrfusion.kinds import BelowOne, NotNegative, Share


@dataclass(frozen=True, kw_only=True)
class Light(Augmentation):
    """Each change is drawn evenly from its range, for each modality of each sample by itself; 0 switches one off.

    Options:
        flip: mirror along each axis, each with probability one half
        rotate_deg: largest turn in the plane of the slices, in degrees, either way
        scale: larger or smaller by up to this share, in the plane
        share: share of the samples that are turned and scaled
        brightness: largest shift of the intensities, in standard deviations, either way
        contrast: intensities are multiplied by 1 plus or minus up to this share
        gamma: largest logarithm of the exponent, either way
        noise: largest standard deviation of Gaussian noise
    Example: light(rotate_deg=30)
    """

    flip: bool = True
    rotate_deg: NotNegative = 15.0
    scale: BelowOne = 0.15
    share: Share = 0.5
    brightness: NotNegative = 0.1
    contrast: BelowOne = 0.15
    gamma: BelowOne = 0.2
    noise: NotNegative = 0.05

    @property
    def mirrors(self) -> bool:
        return self.flip

    def __call__(self, samples: Samples, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        images, labels, random = samples.images, samples.labels, streams(seeds)
        if self.share and (self.rotate_deg or self.scale):
            theta = self._affine(images.ndim - 2, random)
            images, labels = moved_some(images, labels, theta, uniform(random, 1).flatten() < self.share)
        if self.flip:
            images, labels = mirrored(images, labels, random)
        return self._intensity(images, random), labels

    def _affine(self, dimensions: int, random: list[Generator]) -> Tensor:
        """A turn about the slice axis with a scaling of its plane, (b, k + 1, k + 1)."""
        angle = math.radians(self.rotate_deg) * (2 * uniform(random, 1).flatten() - 1)
        scale = 1 + self.scale * (2 * uniform(random, 1).flatten() - 1)
        theta = identities(len(random), dimensions)
        cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
        rows, columns = dimensions - 2, dimensions - 1
        theta[:, rows, rows], theta[:, rows, columns] = cosine, -sine
        theta[:, columns, rows], theta[:, columns, columns] = sine, cosine
        return theta

    def _intensity(self, images: Tensor, random: list[Generator]) -> Tensor:
        """Contrast, brightness, gamma and noise."""

        def drawn(low: float, high: float) -> Tensor:
            values = uniform(random, images.shape[1]).view(*images.shape[:2], *[1] * (images.ndim - 2))
            return (low + (high - low) * values).to(images.device)

        inside = images != 0
        changed = images
        if self.gamma:
            changed = _gamma(changed, torch.exp(drawn(-self.gamma, self.gamma)))
        changed = changed * drawn(1 - self.contrast, 1 + self.contrast)
        changed = changed + drawn(-self.brightness, self.brightness)
        if self.noise:
            changed = changed + drawn(0, self.noise) * normal_like(images, random)
        return torch.where(inside, changed, 0.0)


def _gamma(images: Tensor, exponent: Tensor) -> Tensor:
    grid = tuple(range(2, images.ndim))
    low, high = images.amin(grid, keepdim=True), images.amax(grid, keepdim=True)
    width = (high - low).clamp(min=1e-6)
    return ((images - low) / width).pow(exponent) * width + low
