"""AG: average gradient of the fused image, its sharpness (Cui et al. 2015)."""

from math import inf, prod

import numpy as np

from mrfusion.image_metrics._base import About, by_convention
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.result import Value

ABOUT = About(
    "grey value / pixel",
    (0, inf),
    "higher",
    published="the sum over all M N pixels is divided by (M - 1)(N - 1), so small images gain",
)


def ag(images: FusedImages) -> Value:
    """Mean of sqrt((gx² + gy²) / 2), with central differences, one-sided at the border; per pixel, not per mm."""
    return Value(by_convention(images, exact=_exact, published=_published))


def _exact(images: FusedImages) -> float:
    return float(_strength(images.fused).mean())


def _published(images: FusedImages) -> float:
    return float(_strength(images.fused).sum() / prod(side - 1 for side in images.fused.shape))


def _strength(image: Image) -> Image:
    steps = np.gradient(image)
    return np.asarray(np.sqrt(sum(step**2 for step in steps) / image.ndim))
