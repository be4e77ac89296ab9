"""SCD: sum of the correlations of differences, what each source gave (Aslantas and Bendes 2015)."""

import numpy as np

from mrfusion.image_metrics._base import About, value_or
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.result import Value

ABOUT = About(
    "", (-2, 2), "higher", undefined="two sources are needed, and neither they nor what they lack may be constant"
)


def scd(images: FusedImages) -> Value:
    """r(F - B, A) + r(F - A, B), eq. 3: what is left without one source should look like the other."""
    if len(images.images) != 2:
        return Value.undefined(ABOUT.undefined)
    a, b = images.images
    return value_or(_correlation(images.fused - b, a) + _correlation(images.fused - a, b), ABOUT)


def _correlation(x: Image, y: Image) -> float:
    """Pearson's r; NaN where an image is constant."""
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    return float(np.sum(x * y)) / size if size else float("nan")
