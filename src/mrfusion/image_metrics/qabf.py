"""Qabf: how much of the sources' edges the fused image keeps (Xydeas and Petrovic 2000)."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mrfusion.image_metrics._base import About, by_convention, value_or
from mrfusion.image_metrics._images import FusedImages, Image
from mrfusion.result import Value

ABOUT = About(
    "",
    (0, 1),
    "higher",
    undefined="no source has an edge, or the images are 3-D",
    dimensions=(2,),
    published="Petrovic's later constants: strengths below Td = 2 weigh 0.001, the others g^1.5, and Q is the root "
    "of the product; Sobel divided by 8",
)

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


class Edges(NamedTuple):
    """Strength (grey values per pixel) and direction (-π to π) of the edge at every pixel."""

    strength: Image
    angle: Image


def qabf(images: FusedImages) -> Value:
    """Σ Q w / Σ w over the pixels of all sources: Q says how well strength and orientation are kept, w weighs by size.

    A perfect fusion reaches 0.975 (exact) or 0.9997 (published), where the sigmoids end. Borders are mirrored.
    Differs from the paper: orientations are compared modulo π, as in all published code; an edge has no direction.
    """
    if images.fused.ndim != 2:
        return Value.undefined(ABOUT.undefined)
    return value_or(by_convention(images, exact=_exact, published=_published), ABOUT)


def _exact(images: FusedImages) -> float:
    """The constants of the paper, eqs. 4 to 8: sigmoids (0.9994, 15, 0.5) and (0.9879, 22, 0.8), weight g."""
    fused, kept, weights = _edges(images.fused), [], []
    for source in map(_edges, images.images):
        strength = _sigmoid(_ratio(source, fused), (0.9994, 15, 0.5))
        angle = _sigmoid(_agreement(source, fused), (0.9879, 22, 0.8))
        kept.append(strength * angle)
        weights.append(source.strength)
    return _weighted(kept, weights)


def _published(images: FusedImages) -> float:
    """The constants of Petrovic's later code: (0.9999, 19, 0.5) and (0.9995, 22, 0.5), weight g^1.5 from Td = 2 on."""
    fused, kept, weights = _edges(images.fused), [], []
    for source in map(_edges, images.images):
        strength = _sigmoid(_ratio(source, fused), (0.9999, 19, 0.5))
        angle = _sigmoid(_agreement(source, fused), (0.9995, 22, 0.5))
        kept.append(np.sqrt(strength * angle))
        weights.append(np.where(source.strength >= 2, source.strength**1.5, 0.001))
    return _weighted(kept, weights)


def _edges(image: Image) -> Edges:
    across, down = (ndimage.correlate(image, kernel, mode="mirror") for kernel in (SOBEL, SOBEL.T))
    return Edges(np.hypot(across, down), np.arctan2(across, down))


def _ratio(source: Edges, fused: Edges) -> Image:
    """G: the weaker strength by the stronger; 0 where one is flat."""
    weaker = np.minimum(source.strength, fused.strength)
    stronger = np.maximum(source.strength, fused.strength)
    return np.divide(weaker, stronger, out=np.zeros_like(weaker), where=weaker > 0)


def _agreement(source: Edges, fused: Edges) -> Image:
    """A: 1 for the same orientation, 0 for a right angle; opposite directions are one orientation."""
    return np.abs(np.abs(source.angle - fused.angle) % np.pi - np.pi / 2) * (2 / np.pi)


def _sigmoid(x: Image, constants: tuple[float, float, float]) -> Image:
    height, slope, middle = constants
    return np.asarray(height / (1 + np.exp(-slope * (x - middle))))


def _weighted(kept: list[Image], weights: list[Image]) -> float:
    total = float(np.sum(weights))
    return float(np.sum(np.multiply(kept, weights))) / total if total else float("nan")
