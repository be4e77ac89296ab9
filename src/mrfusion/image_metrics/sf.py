"""SF: spatial frequency of the fused image, its activity (Eskicioglu and Fisher 1995)."""

from math import inf

import numpy as np

from mrfusion.image_metrics._base import About
from mrfusion.image_metrics._images import FusedImages
from mrfusion.result import Value

ABOUT = About("grey value / pixel", (0, inf), "higher")


def sf(images: FusedImages) -> Value:
    """sqrt(RF² + CF²): root of the mean squared step to the next pixel, summed over the directions.

    Differs from the paper: the mean is over the steps there are, M (N - 1), not over the M N pixels, as in all the
    published code. In 3-D the third direction is added. Steps are per pixel, whatever the spacing.
    """
    squares = [np.mean(np.diff(images.fused, axis=axis) ** 2) for axis in range(images.fused.ndim)]
    return Value(float(np.sqrt(sum(squares))))
