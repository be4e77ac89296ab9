"""MEF-SSIM: how alike a fused image is to the best patch that its sources allow (Ma, Zeng and Wang 2015)."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from mrfusion.image_metrics._images import Image
from mrfusion.image_metrics._similarity import WINDOW
from mrfusion.image_metrics._windows import average_inside

SIDE = len(WINDOW)
BOX = np.ones(SIDE)
EPS = float(np.finfo(np.float64).eps)
C = (0.03 * 255) ** 2


def exposure_similarity(sources: Sequence[Image], fused: Image) -> float:
    """Mean MEF-SSIM over all 11 x 11 patches of 2-D images on 0-255 (eqs. 4 to 14; patches lose their means).

    The wanted patch is r = Σ a_k (x_k - mean): a mix of the sources' patches with one weight each, so its norm and
    its (co)variances are sums of the sources' covariances, and no patch is ever cut out.
    """
    pairs = list(product(range(len(sources)), repeat=2))
    box = {(k, m): _scatter(sources[k], sources[m]) for k, m in pairs}
    norms = [np.sqrt(np.maximum(box[k, k], 0)) for k in range(len(sources))]
    mix = _mix(norms, total=np.sqrt(np.maximum(sum(box.values()), 0)))
    squared = np.maximum(sum(mix[k] * mix[m] * box[k, m] for k, m in pairs), 0)
    strongest = np.max(norms, axis=0) + 0.001
    gain = np.divide(strongest, np.sqrt(squared), out=np.ones_like(squared), where=squared > EPS)
    var_r = gain**2 * sum(mix[k] * mix[m] * _covariance(sources[k], sources[m]) for k, m in pairs)
    cov = gain * sum(mix[k] * _covariance(source, fused) for k, source in enumerate(sources))
    return float(np.mean((2 * cov + C) / (var_r + _covariance(fused, fused) + C)))


def _mix(norms: list[Image], *, total: Image) -> list[Image]:
    """The weight of each source's patch: the more the sources agree (R near 1), the more the strongest one rules."""
    agreement = np.minimum((total + EPS) / (sum(norms) + EPS), 1 - EPS)
    power = np.minimum(np.tan(np.pi / 2 * agreement), 10)
    strengths = [norm + 0.001 for norm in norms]  # 0.001: the published code's guard for flat patches
    raw = [(strength / SIDE) ** power + EPS for strength in strengths]
    return [weight / sum(raw) / strength for weight, strength in zip(raw, strengths, strict=True)]


def _scatter(x: Image, y: Image) -> Image:
    """Σ (x - mean)(y - mean) over each patch; exact for whole numbers, whose sums fit a double."""
    n = SIDE**2
    return (n * average_inside(x * y, BOX) - average_inside(x, BOX) * average_inside(y, BOX)) / n


def _covariance(x: Image, y: Image) -> Image:
    """The same under the Gaussian window, whose weights sum to 1."""
    return average_inside(x * y, WINDOW) - average_inside(x, WINDOW) * average_inside(y, WINDOW)
