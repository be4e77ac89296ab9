"""The contract of an image metric: a function of FusedImages that answers a Value, and an ABOUT.

    def entropy(images: FusedImages) -> Value

Whole-image metrics read ``images.fused``; the others compare it with each of ``images.images``, whose order never
matters. A metric whose published code departs from its paper holds one function for each convention.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from mrfusion.image_metrics._images import FusedImages
from mrfusion.result import Value

IN_FILE = (  # how a choice is written; `mrfusion list` shows it
    "mrfusion evaluate-images FUSED --source ct=CT --source mri=MRI --metrics CHOICE --out scores.csv"
)


@dataclass(frozen=True)
class About:
    """What a metric's numbers mean: unit (empty for a pure number), range, direction, and where none exists.

    ``dimensions`` are those of the images it is defined for; ``published`` says what the published tables' code does
    otherwise than the exact definition.
    """

    unit: str
    range: tuple[float, float]
    better: Literal["higher", "lower"]
    undefined: str = "never"
    dimensions: tuple[int, ...] = (2, 3)
    published: str = "the same"


def by_convention(
    images: FusedImages, *, exact: Callable[[FusedImages], float], published: Callable[..., float]
) -> float:
    """The metric in the convention of the images."""
    return (published if images.convention == "published" else exact)(images)


def value_or(number: float, about: About) -> Value:
    """The number, or undefined for the reason in ``about`` where it is not finite."""
    return Value(float(number)) if isfinite(number) else Value.undefined(about.undefined)
