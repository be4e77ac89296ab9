"""A predicted mask and its target: what several metrics need is computed once, when first asked for."""

from functools import cached_property
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from mrfusion.errors import CaseError
from mrfusion.rules import PLAIN, Rule


class MaskPair:
    """Two masks on one grid (2-D or 3-D), nonzero = inside.

    ``image_shape`` is the grid of the whole image where the masks are a crop of it that holds every voxel of both:
    specificity and the diagonal refer to the whole image.
    """

    def __init__(
        self,
        pred: NDArray[np.generic],
        target: NDArray[np.generic],
        spacing_mm: tuple[float, ...],
        *,
        rule: Rule = PLAIN,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        pred, target = np.asarray(pred), np.asarray(target)
        _check(pred, target, spacing_mm)
        self.pred = np.ascontiguousarray(pred != 0)
        self.target = np.ascontiguousarray(target != 0)
        self.spacing_mm = tuple(float(s) for s in spacing_mm)
        self.rule = rule
        self.image_shape = image_shape or pred.shape

    @cached_property
    def predicted(self) -> int:
        """Voxels in the prediction."""
        return int(np.count_nonzero(self.pred))

    @cached_property
    def targeted(self) -> int:
        """Voxels in the target."""
        return int(np.count_nonzero(self.target))

    @cached_property
    def both(self) -> int:
        """Voxels in prediction and target: the true positives."""
        return int(np.count_nonzero(self.pred & self.target))

    @property
    def voxels(self) -> int:
        """Voxels of the whole image."""
        return prod(self.image_shape)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel (in 2-D: area of a pixel, mm2)."""
        return prod(self.spacing_mm)

    @property
    def penalty_mm(self) -> float:
        """What the rule charges where no surface exists: a fixed distance, or the diagonal of the image."""
        if self.rule.penalty_mm is not None:
            return self.rule.penalty_mm
        return sqrt(sum((n * s) ** 2 for n, s in zip(self.image_shape, self.spacing_mm, strict=True)))


def _check(pred: NDArray[np.generic], target: NDArray[np.generic], spacing_mm: tuple[float, ...]) -> None:
    if pred.shape != target.shape:
        raise CaseError(f"prediction {pred.shape} and target {target.shape} differ in shape; resample one to the other")
    if pred.ndim not in (2, 3):
        raise CaseError(f"expected masks in two or three dimensions, found shape {pred.shape}; give one case at a time")
    if len(spacing_mm) != pred.ndim or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise CaseError(f"expected {pred.ndim} positive voxel sizes in mm for shape {pred.shape}, found {spacing_mm}")
