"""MI: mutual information of the fused image with its sources, summed (Qu et al. 2002)."""

from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from mrfusion.image_metrics._base import About
from mrfusion.image_metrics._images import LEVELS, FusedImages
from mrfusion.result import Value

ABOUT = About("bit", (0, 16), "higher")


def mi(images: FusedImages) -> Value:
    """Σ over sources of H(S) + H(F) - H(S, F), over 256 bins of equal width; at most 8 bit a source."""
    pairs = ((levels, images.fused_levels) for levels in images.source_levels)
    return Value(sum(starmap(_shared, pairs)))


def _shared(a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    joint = np.bincount((a * LEVELS + b).ravel(), minlength=LEVELS**2).reshape(LEVELS, LEVELS)
    return _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1)) - _entropy(joint)


def _entropy(counts: NDArray[np.intp]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log2(p)))
