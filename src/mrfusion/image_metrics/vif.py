"""VIF: share of the sources' visual information that the fused image keeps (Sheikh and Bovik 2006, pixel domain)."""

from math import inf, nan

import numpy as np

from mrfusion.image_metrics._base import About, by_convention, value_or
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.image_metrics._windows import average_inside, gaussian, moments
from mrfusion.result import Value

SHORTEST = 41  # the fourth scale must hold one window
NOISE = 2.0  # variance of the eye's noise, in squared grey values of a 0-255 image
TINY = 1e-10

ABOUT = About(
    "",
    (0, inf),
    "higher",
    undefined="a side is shorter than 41 pixels, a source is constant, or the images are 3-D",
    dimensions=(2,),
    published="the sum over the sources, not their mean: identical images reach 2",
)


def vif(images: FusedImages) -> Value:
    """Mean over the sources of VIFp at four scales; 1 for identical images, above 1 where contrast was raised."""
    if images.fused.ndim != 2 or min(images.fused.shape) < SHORTEST:
        return Value.undefined(ABOUT.undefined)
    return value_or(by_convention(images, exact=_exact, published=_published), ABOUT)


def _exact(images: FusedImages) -> float:
    return _published(images) / len(images.images)


def _published(images: FusedImages) -> float:
    grey = 255 / images.span
    return sum(_fidelity(source * grey, images.fused * grey) for source in images.images)


def _fidelity(reference: Image, distorted: Image) -> float:
    """Σ kept information / Σ information there was, over the windows of four scales; NaN for a constant reference."""
    kept = there = 0.0
    for side in (17, 9, 5, 3):
        weights = gaussian(side, side / 5)
        if side < 17:
            reference, distorted = (average_inside(i, weights)[::2, ::2] for i in (reference, distorted))
        local = moments(reference, distorted, weights, inside=True)
        gain, noise, signal = _channel(np.maximum(local.var_x, 0), np.maximum(local.var_y, 0), local.cov)
        kept += float(np.log2(1 + gain**2 * signal / (noise + NOISE)).sum())
        there += float(np.log2(1 + signal / NOISE).sum())
    return kept / there if there else nan


def _channel(var_x: Image, var_y: Image, cov: Image) -> tuple[Image, Image, Image]:
    """The local model y = gain x + noise: gain, variance of the noise, variance of the signal (eqs. 13 to 15).

    Flat windows carry nothing; a negative gain is taken for pure noise.
    """
    gain = cov / (var_x + TINY)
    noise = var_y - gain * cov
    flat = (var_x < TINY) | (var_y < TINY)
    noise = np.where(flat | (gain < 0), np.where(var_y < TINY, 0, var_y), noise)
    gain = np.where(flat | (gain < 0), 0, gain)
    return gain, np.maximum(noise, TINY), np.where(var_x < TINY, 0, var_x)
