"""SD: standard deviation of the fused image, its contrast."""

from math import inf

from mrfusion.image_metrics._base import About
from mrfusion.image_metrics._images import FusedImages
from mrfusion.result import Value

ABOUT = About("grey value", (0, inf), "higher")


def sd(images: FusedImages) -> Value:
    """Root mean squared distance from the mean (divided by N, not N - 1); at most half the data range."""
    return Value(float(images.fused.std()))
