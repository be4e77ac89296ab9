"""A fused image and its sources on one grey scale: what every image metric reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrfusion.errors import CaseError, SpecError, nearest

Image = NDArray[np.float64]
Convention = Literal["exact", "published"]
LEVELS = 256


@dataclass(frozen=True)
class FusedImages:
    """A fused image, its sources by name, and the range (low, high) of the scale they all stand on.

    Images are 2-D or 3-D, of one shape, finite and inside ``data_range``. They are kept as float64, measured from the
    low end of the range: structural similarity needs to know where black is, and ``data_range`` is (0, span) then.
    ``convention="exact"`` takes the definitions of the papers, in the units given. ``"published"`` does what the code
    behind the published tables does: 2-D images, brought to 0-255 first.
    Raises CaseError for images that do not fit together, SpecError for a convention that does not exist.
    """

    fused: Image
    sources: Mapping[str, Image]
    data_range: tuple[float, float]
    convention: Convention = "exact"

    def __post_init__(self) -> None:
        _check_scale(self.data_range, self.convention)
        images = {"the fused image": self.fused, **self.sources}
        if len(images) < 3:
            raise CaseError(f"expected two source images or more, found {', '.join(self.sources) or 'none'}")
        shape = np.shape(self.fused)
        for name, image in images.items():
            _check_image(name, np.asarray(image), shape=shape, data_range=self.data_range)
        if self.convention == "published" and len(shape) != 2:
            raise CaseError(f"the published conventions are for 2-D images, found {shape}; take convention='exact'")
        low, span = self.data_range[0], self.span
        grey = 1.0 if self.convention == "exact" else 255 / span
        object.__setattr__(self, "fused", _from_black(self.fused, low) * grey)
        object.__setattr__(self, "sources", {name: _from_black(i, low) * grey for name, i in self.sources.items()})
        object.__setattr__(self, "data_range", (0.0, span * grey))

    @property
    def span(self) -> float:
        """The width of the scale, the L of the papers."""
        return self.data_range[1] - self.data_range[0]

    @property
    def images(self) -> tuple[Image, ...]:
        """The source images, in their order."""
        return tuple(self.sources.values())

    @cached_property
    def fused_levels(self) -> NDArray[np.intp]:
        """The fused image in 256 grey levels."""
        return self._levels(self.fused)

    @cached_property
    def source_levels(self) -> tuple[NDArray[np.intp], ...]:
        """The source images in 256 grey levels."""
        return tuple(self._levels(image) for image in self.images)

    def _levels(self, image: Image) -> NDArray[np.intp]:
        """256 bins of equal width over the scale; whole numbers from 0 to 255 each fall in their own bin."""
        return np.minimum((image * (LEVELS / self.span)).astype(np.intp), LEVELS - 1)


def _from_black(image: ArrayLike, low: float) -> Image:
    return np.asarray(np.asarray(image, np.float64) - low)


def _check_scale(data_range: tuple[float, float], convention: str) -> None:
    if convention not in get_args(Convention):
        raise SpecError(f"no convention is called {convention!r}; {nearest(convention, get_args(Convention))}")
    if len(data_range) != 2 or not np.isfinite(data_range).all() or data_range[0] >= data_range[1]:
        raise SpecError(f"expected data_range (low, high) with low below high, found {data_range}")


def _check_image(name: str, image: NDArray[Any], *, shape: tuple[int, ...], data_range: tuple[float, float]) -> None:
    if image.ndim not in (2, 3) or image.shape != shape or min(image.shape) < 2:
        raise CaseError(f"expected 2-D or 3-D images of one shape, found {name} {image.shape}, the fused image {shape}")
    if not np.isfinite(image).all():
        raise CaseError(f"{name} holds NaN or inf; mask or fill it before it is scored")
    low, high = float(image.min()), float(image.max())
    if low < data_range[0] or high > data_range[1]:
        raise CaseError(f"{name} runs from {low:g} to {high:g}, outside data_range {data_range}; state its true range")
