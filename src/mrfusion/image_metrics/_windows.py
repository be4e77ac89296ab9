"""Weighted means in a window around each pixel, and the second moments of two images from them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mrfusion.image_metrics._images import Image

Weights = NDArray[np.float64]


class Moments(NamedTuple):
    """Local means, variances and covariance of two images, one value per window."""

    mean_x: Image
    mean_y: Image
    var_x: Image
    var_y: Image
    cov: Image


def gaussian(size: int, sigma: float) -> Weights:
    """``size`` weights of a Gaussian around the middle, summing to 1."""
    weights = np.exp(-np.square(np.arange(size) - (size - 1) / 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def average(image: Image, weights: Weights) -> Image:
    """Weighted mean around every pixel, separably in every direction; the border value continues outside."""
    for axis in range(image.ndim):
        image = ndimage.correlate1d(image, weights, axis=axis, mode="nearest")
    return image


def average_inside(image: Image, weights: Weights) -> Image:
    """Weighted mean where the window lies wholly inside the image: each side shrinks by the window less one."""
    margin = len(weights) // 2
    return average(image, weights)[(slice(margin, -margin),) * image.ndim]


def moments(x: Image, y: Image, weights: Weights, *, inside: bool) -> Moments:
    """Local moments of two images under a window, ``inside`` the image only or with its border continued."""
    mean = average_inside if inside else average
    mean_x, mean_y = mean(x, weights), mean(y, weights)
    var_x = mean(x * x, weights) - mean_x * mean_x
    var_y = mean(y * y, weights) - mean_y * mean_y
    return Moments(mean_x, mean_y, var_x, var_y, mean(x * y, weights) - mean_x * mean_y)
