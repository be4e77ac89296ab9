"""All that nnU-Net does: turns about every axis, scaling, noise, blur, contrast, low resolution, two gammas, mirrors.

Isensee et al., Nature Methods 18 (2021), supplementary note 4, in the ranges of nnU-Net 2.8's trainer. In brackets the
share of samples, and where two numbers stand the share of the modalities of such a sample: turn [0.2], scaling [0.2],
noise [0.1], blur [0.2, 0.5], brightness [0.15], contrast [0.15], low resolution [0.25, 0.5], gamma of the inverted
image [0.1], gamma [0.3], mirrors [0.5 an axis].
Differs from nnU-Net: all samples of a batch are computed together on the batch's device; turns are turns in
millimetres, not in voxels; blur and low resolution are in units of the finest spacing, so that thick slices are not
blurred into each other; a low resolution comes back linearly, not by cubic splines; a patch is turned as it is, not cut
out of a larger turned one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Generator, Tensor

from mrfusion.augmentations._base import Augmentation, Samples, mirrored, normal_like, of_some, streams, uniform
from mrfusion.augmentations._intensity import bent, blurred, coarsened, contrasted, spread
from mrfusion.augmentations._space import identities, moved_some

ANISOTROPIC = 3.0  # spacings or sides of a patch that differ by more leave turns and scaling to the plane, as nnU-Net
FREE_TURN, LONG_TURN, TURN_3D = 180.0, 15.0, 30.0  # degrees: in a plane, in a long one, about each axis of a volume
LONG = 1.5  # a plane is long where its sides differ by more


@dataclass(frozen=True, kw_only=True)
class Strong(Augmentation):
    """Anisotropic volumes (spacings or sides that differ by more than three times) turn in the plane of their slices.

    Options:
        rotate_deg: largest turn about each axis, in degrees, either way; default: 180 in a plane, 15 in one whose sides
            differ by more than half, 30 in a volume
        smallest: least scaling
        largest: greatest scaling
        mirror: mirror along each axis, each with probability one half
        share: the shares above are multiplied by this number
    Example: strong(rotate_deg=30)
    """

    rotate_deg: Annotated[float, Ge(0), Le(180)] | None = None
    smallest: Annotated[float, Gt(0), Le(1)] = 0.7
    largest: Annotated[float, Ge(1), Lt(inf)] = 1.4
    mirror: bool = True
    share: Annotated[float, Ge(0), Le(2)] = 1.0

    @property
    def mirrors(self) -> bool:
        return self.mirror

    def __call__(self, samples: Samples, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        random, spacing = streams(seeds), samples.spacing_mm
        finest = spacing.amin(1, keepdim=True) / spacing  # 1 along the finest axis, less along coarser ones

        def softer(part: Tensor, drawn: Tensor, at: Tensor) -> Tensor:
            return blurred(part, (0.5 + 0.5 * drawn) * finest[at])

        def coarser(part: Tensor, drawn: Tensor, at: Tensor) -> Tensor:
            return coarsened(part, ((0.5 + 0.5 * drawn) / finest[at]).clamp(max=1))

        images, labels = self._space(samples, random)
        inside = images != 0
        images = self._noise(images, random)
        images = self._of_modalities(images, random, 0.2, softer)
        images = self._multiplied(images, random)
        images = self._contrast(images, random)
        images = self._of_modalities(images, random, 0.25, coarser)
        images = self._gamma(images, random, 0.1, inverted=True)
        images = self._gamma(images, random, 0.3, inverted=False)
        images = torch.where(inside, images, 0.0)
        return mirrored(images, labels, random) if self.mirror else (images, labels)

    def _chosen(self, random: Sequence[Generator], share: float) -> Tensor:
        """(b,): which samples undergo a change."""
        return uniform(random, 1).flatten() < share * self.share

    def _noise(self, images: Tensor, random: Sequence[Generator]) -> Tensor:
        """Gaussian noise with a standard deviation of up to 0.1."""
        strength = 0.1 * uniform(random, 1)

        def noisy(part: Tensor, at: Tensor) -> Tensor:
            return part + spread(strength[at], part) * normal_like(part, [random[place] for place in at.tolist()])

        return of_some(images, self._chosen(random, 0.1), noisy)

    def _multiplied(self, images: Tensor, random: Sequence[Generator]) -> Tensor:
        factor = _two_sided(random, images.shape[1], 0.75, 1.25)
        return of_some(images, self._chosen(random, 0.15), lambda part, at: part * spread(factor[at], part))

    def _contrast(self, images: Tensor, random: Sequence[Generator]) -> Tensor:
        factor = _two_sided(random, images.shape[1], 0.75, 1.25)
        return of_some(images, self._chosen(random, 0.15), lambda part, at: contrasted(part, factor[at]))

    def _gamma(self, images: Tensor, random: Sequence[Generator], share: float, *, inverted: bool) -> Tensor:
        exponent = _two_sided(random, images.shape[1], 0.7, 1.5)
        chosen = self._chosen(random, share)
        return of_some(images, chosen, lambda part, at: bent(part, exponent[at], inverted=inverted))

    def _of_modalities(
        self,
        images: Tensor,
        random: Sequence[Generator],
        share: float,
        change: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> Tensor:
        """Half of the modalities of a share of the samples changed: ``change`` is told these, each as an image of its
        own (n, 1, *xyz), a number from 0 to 1 for each (n, 1), and which sample each is of."""
        modalities = images.shape[1]
        chosen = self._chosen(random, share).view(-1, 1) & (uniform(random, modalities) < 0.5)
        drawn = uniform(random, modalities).view(-1, 1)
        if not chosen.any():
            return images
        single = images.flatten(0, 1).unsqueeze(1)
        found = of_some(single, chosen.flatten(), lambda part, at: change(part, drawn[at], at // modalities))
        return found.view_as(images)

    def _space(self, samples: Samples, random: Sequence[Generator]) -> tuple[Tensor, Tensor]:
        """Turns and scaling, each of its own share of the samples."""
        size, spacing = samples.labels.shape[1:], samples.spacing_mm
        flat = torch.tensor([_in_plane(size, mm) for mm in spacing.tolist()])
        angles = (2 * uniform(random, 3) - 1) * torch.tensor([self._limits(size, bool(plane)) for plane in flat])
        turns = self._chosen(random, 0.2)
        angles = torch.where(turns.view(-1, 1), angles, 0.0)
        scales = self._chosen(random, 0.2)
        factor = torch.where(scales.view(-1, 1), _two_sided(random, 1, self.smallest, self.largest), 1.0)
        theta = _turned_mm(angles, spacing) if len(size) == 3 else _turned_plane(angles[:, 0], spacing)
        stretched = factor.expand(-1, len(size)).clone()
        stretched[flat, 0] = 1.0
        theta[:, :-1, :-1] *= stretched.unsqueeze(1)
        moves = (theta != identities(len(theta), len(size))).flatten(1).any(1)
        return moved_some(samples.images, samples.labels, theta, moves)

    def _limits(self, size: Sequence[int], plane_only: bool) -> tuple[float, float, float]:
        """The largest turns in radians about (S, H, W); of a slice, or of a volume that turns in its plane, the first
        alone."""
        rows, columns = size[-2:]
        long = max(rows, columns) > LONG * min(rows, columns)
        if len(size) == 2 or plane_only:
            usual = LONG_TURN if long else FREE_TURN
            return math.radians(usual if self.rotate_deg is None else self.rotate_deg), 0.0, 0.0
        each = math.radians(TURN_3D if self.rotate_deg is None else self.rotate_deg)
        return each, each, each


def _in_plane(size: Sequence[int], spacing_mm: Sequence[float]) -> bool:
    """Whether a volume keeps its slices: where its spacings, or the sides of its patch, are too different."""
    return len(size) == 3 and max(max(size) / min(size), max(spacing_mm) / min(spacing_mm)) > ANISOTROPIC


def _two_sided(random: Sequence[Generator], count: int, low: float, high: float) -> Tensor:
    """(b, count) numbers, as often below 1 as above, evenly on either side (nnU-Net's BGContrast)."""
    where = uniform(random, count)
    return torch.where(uniform(random, count) < 0.5, low + (1 - low) * where, 1 + (high - 1) * where)


def _turned_plane(angle: Tensor, spacing: Tensor) -> Tensor:
    """(b, 3, 3): a turn by ``angle`` (b,) in the plane of the last two axes, in millimetres."""
    theta = identities(len(angle), 2)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    theta[:, :2, :2] = torch.stack((cosine, -sine, sine, cosine), 1).view(-1, 2, 2)
    return _in_voxels(theta, spacing)


def _turned_mm(angles: Tensor, spacing: Tensor) -> Tensor:
    """(b, 4, 4): turns about the three axes, one after the other, in millimetres."""
    theta = identities(len(angles), 3)
    for axis in range(3):
        one = identities(len(angles), 3)
        cosine, sine = torch.cos(angles[:, axis]), torch.sin(angles[:, axis])
        first, second = (other for other in range(3) if other != axis)
        one[:, first, first], one[:, first, second] = cosine, -sine
        one[:, second, first], one[:, second, second] = sine, cosine
        theta = theta @ one
    return _in_voxels(theta, spacing)


def _in_voxels(theta: Tensor, spacing: Tensor) -> Tensor:
    """A map of millimetres as one of voxels: S^-1 A S."""
    dimensions = spacing.shape[1]
    theta[:, :dimensions, :dimensions] *= spacing.unsqueeze(1) / spacing.unsqueeze(2)
    return theta
