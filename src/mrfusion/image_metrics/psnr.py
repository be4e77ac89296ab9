"""PSNR: peak signal to noise ratio of the fused image against its sources."""

from math import inf, log10

import numpy as np

from mrfusion.image_metrics._base import About, by_convention
from mrfusion.image_metrics._images import FusedImages
from mrfusion.result import Value

ABOUT = About(
    "dB",
    (0, inf),
    "higher",
    undefined="the fused image equals every source: no noise, no ratio",
    published="errors are divided by 255 and the peak stays 255: 48.13 dB (20 log10 255) above the exact value",
)


def psnr(images: FusedImages) -> Value:
    """10 log10(L² / MSE); the MSE is the mean over the sources (not the mean of their PSNRs)."""
    if not _error(images):
        return Value.undefined(ABOUT.undefined)
    return Value(by_convention(images, exact=_exact, published=_published))


def _exact(images: FusedImages) -> float:
    return 10 * log10(images.span**2 / _error(images))


def _published(images: FusedImages) -> float:
    return 10 * log10(255**2 / (_error(images) / 255**2))


def _error(images: FusedImages) -> float:
    return float(np.mean([np.mean((images.fused - source) ** 2) for source in images.images]))
