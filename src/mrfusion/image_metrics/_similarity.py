"""The two maps that structural similarity is made of (Wang et al. 2004)."""

from mrfusion.image_metrics._images import Image
from mrfusion.image_metrics._windows import Moments, gaussian

WINDOW = gaussian(11, 1.5)


def luminance(m: Moments, span: float) -> Image:
    """l: how alike the local means are (eq. 6), with C1 = (0.01 L)²."""
    c1 = (0.01 * span) ** 2
    return (2 * m.mean_x * m.mean_y + c1) / (m.mean_x**2 + m.mean_y**2 + c1)


def contrast_structure(m: Moments, span: float) -> Image:
    """c·s: how alike local contrast and structure are (eqs. 9 and 10 with C3 = C2 / 2), with C2 = (0.03 L)²."""
    c2 = (0.03 * span) ** 2
    return (2 * m.cov + c2) / (m.var_x + m.var_y + c2)
