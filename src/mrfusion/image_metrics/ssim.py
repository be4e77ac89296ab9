"""SSIM: structural similarity of the fused image to its sources, averaged (Wang et al. 2004)."""

import numpy as np

from mrfusion.image_metrics._base import About, by_convention
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.image_metrics._similarity import WINDOW, contrast_structure, luminance
from mrfusion.image_metrics._windows import Moments, moments
from mrfusion.result import Value

ABOUT = About(
    "",
    (-1, 1),
    "higher",
    undefined="a side is shorter than the window of 11 pixels",
    published="the dynamic range is 1 on 0-255 images, so the constants vanish and flat areas decide; the border is "
    "continued and counted",
)


def ssim(images: FusedImages) -> Value:
    """Mean over the sources of the mean SSIM map: Gaussian window of 11, σ 1.5, wholly inside the image, L = range."""
    if min(images.fused.shape) < len(WINDOW):
        return Value.undefined(ABOUT.undefined)
    return Value(by_convention(images, exact=_exact, published=_published))


def _exact(images: FusedImages) -> float:
    maps = [_map(moments(s, images.fused, WINDOW, inside=True), images.span) for s in images.images]
    return float(np.mean(maps))


def _published(images: FusedImages) -> float:
    maps = [_map(moments(s, images.fused, WINDOW, inside=False), 1.0) for s in images.images]
    return float(np.mean(maps))


def _map(local: Moments, span: float) -> Image:
    return luminance(local, span) * contrast_structure(local, span)
