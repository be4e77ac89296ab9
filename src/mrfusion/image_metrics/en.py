"""EN: entropy of the fused image's grey levels (Shannon 1948; Roberts et al. 2008)."""

import numpy as np

from mrfusion.image_metrics._base import About
from mrfusion.image_metrics._images import LEVELS, FusedImages
from mrfusion.result import Value

ABOUT = About("bit", (0, 8), "higher")


def en(images: FusedImages) -> Value:
    """-Σ p log2 p over 256 bins of equal width across the data range. Noise raises it too."""
    counts = np.bincount(images.fused_levels.ravel(), minlength=LEVELS)
    p = counts[counts > 0] / images.fused.size
    return Value(float(-np.sum(p * np.log2(p))))
