"""Changes of intensities, each of several images at once: n images (n, m, *xyz) and the numbers that belong to them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mrfusion.augmentations._base import placed

_RADIUS = 3  # of a Gaussian's kernel, in its standard deviations; these are at most 1 grid point


def spread(values: Float[Tensor, "n *m"], images: Tensor) -> Tensor:
    """Numbers of the CPU, one an image or one a modality, ready to meet images of their own device."""
    return placed(values, images.device).view(*values.shape, *[1] * (images.ndim - values.ndim))


def contrasted(images: Float[Tensor, "n m *xyz"], factor: Float[Tensor, "n m"]) -> Tensor:
    """Further from, or closer to, an image's mean; never beyond what the image held."""
    grid = tuple(range(2, images.ndim))
    low, high = images.amin(grid, keepdim=True), images.amax(grid, keepdim=True)
    mean = images.mean(grid, keepdim=True)
    return torch.minimum(torch.maximum((images - mean) * spread(factor, images) + mean, low), high)


def bent(images: Float[Tensor, "n m *xyz"], exponent: Float[Tensor, "n m"], *, inverted: bool) -> Tensor:
    """A power of the intensities between an image's least and greatest; its mean and standard deviation are kept."""
    grid = tuple(range(2, images.ndim))
    sign = -1.0 if inverted else 1.0
    source = sign * images
    deviation, mean = torch.std_mean(source, grid, keepdim=True)
    low = source.amin(grid, keepdim=True)
    width = (source.amax(grid, keepdim=True) - low).clamp(min=1e-6)
    found = ((source - low) / width).clamp(min=0).pow(spread(exponent, images)) * width + low
    new_deviation, new_mean = torch.std_mean(found, grid, keepdim=True)
    return sign * ((found - new_mean) / new_deviation.clamp(min=1e-6) * deviation + mean)


def blurred(images: Float[Tensor, "n 1 *xyz"], sigma: Float[Tensor, "n k"]) -> Tensor:
    """A Gaussian along each axis, of ``sigma`` grid points (at most 1); beyond the edge the edge goes on."""
    reach = torch.arange(-_RADIUS, _RADIUS + 1.0)
    found = images.transpose(0, 1)  # one sample of n channels, each with a kernel of its own
    convolve = functional.conv2d if images.ndim == 4 else functional.conv3d
    for axis in range(images.ndim - 2):
        weights = torch.exp(-0.5 * (reach / sigma[:, axis : axis + 1].clamp(min=1e-3)) ** 2)
        weights = placed(weights / weights.sum(1, keepdim=True), images.device)
        shape = [len(weights), 1, *[1] * (images.ndim - 2)]
        shape[2 + axis] = weights.shape[1]
        margins = [0] * (2 * (images.ndim - 2))
        margins[-2 * axis - 2 : len(margins) - 2 * axis] = [_RADIUS, _RADIUS]
        padded = functional.pad(found, margins, mode="replicate")
        found = convolve(padded, weights.view(shape), groups=len(weights))
    return found.transpose(0, 1)


def coarsened(images: Float[Tensor, "n 1 *xyz"], zoom: Float[Tensor, "n k"]) -> Tensor:
    """As if scanned with fewer points along each axis, a share ``zoom`` of them: nearest down, linearly up again."""
    size, linear = images.shape[2:], "bilinear" if images.ndim == 4 else "trilinear"

    def one(image: Tensor, factors: Sequence[float]) -> Tensor:
        fewer = [max(1, round(n * factor)) for n, factor in zip(size, factors, strict=True)]
        coarse = functional.interpolate(image[None], size=fewer, mode="nearest-exact")
        return functional.interpolate(coarse, size=list(size), mode=linear, align_corners=False)

    return torch.cat([one(image, factors) for image, factors in zip(images, zoom.tolist(), strict=True)])
