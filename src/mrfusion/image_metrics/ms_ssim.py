"""MS-SSIM: structural similarity at several scales (Wang et al. 2003; published: Ma et al. 2015)."""

import numpy as np
from scipy import ndimage

from mrfusion.image_metrics._base import About, by_convention
from mrfusion.image_metrics._exposure import exposure_similarity
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.image_metrics._similarity import WINDOW, contrast_structure, luminance
from mrfusion.image_metrics._windows import moments
from mrfusion.result import Value

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
SHORTEST = {"exact": 161, "published": 41}  # the coarsest scale must hold one window of 11

ABOUT = About(
    "",
    (0, 1),
    "higher",
    undefined="a side is shorter than 161 pixels (exact, 5 scales) or 41 (published, 3 scales), or the images are 3-D",
    dimensions=(2,),
    published="another measure of the same name: MEF-SSIM at 3 scales, which builds from the sources the patch that a "
    "perfect fusion would show, and ignores brightness",
)


def ms_ssim(images: FusedImages) -> Value:
    """Contrast and structure at five scales, luminance at the coarsest, raised to the paper's weights and multiplied.

    The mean over the sources. A negative mean of one scale counts as 0: it has no real power.
    """
    if images.fused.ndim != 2 or min(images.fused.shape) < SHORTEST[images.convention]:
        return Value.undefined(ABOUT.undefined)
    return Value(by_convention(images, exact=_exact, published=_published))


def _exact(images: FusedImages) -> float:
    return float(np.mean([_pair(source, images.fused, images.span) for source in images.images]))


def _pair(x: Image, y: Image, span: float) -> float:
    scales = []
    for _ in WEIGHTS[1:]:
        scales.append(contrast_structure(moments(x, y, WINDOW, inside=True), span).mean())
        x, y = _half(x), _half(y)
    local = moments(x, y, WINDOW, inside=True)
    scales.append((luminance(local, span) * contrast_structure(local, span)).mean())
    return float(np.prod(np.maximum(scales, 0) ** WEIGHTS))


def _published(images: FusedImages) -> float:
    weights = WEIGHTS[:3] / WEIGHTS[:3].sum()
    sources, fused, scales = list(images.images), images.fused, []
    for _ in weights:
        scales.append(exposure_similarity(sources, fused))
        sources, fused = [_half(s) for s in sources], _half(fused)
    return float(np.prod(np.maximum(scales, 0) ** weights))


def _half(image: Image) -> Image:
    """Every second pixel of the means over 2 x 2 pixels, the border repeated."""
    return np.asarray(ndimage.uniform_filter(image, 2, mode="reflect", origin=-1)[::2, ::2])
