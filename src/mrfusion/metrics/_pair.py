"""A predicted mask and its target: what several metrics need is computed once, when first asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mrfusion.errors import CaseError, SpecError, nearest
from mrfusion.rules import PLAIN, Rule
from mrfusion.surface.areas import Spacing
from mrfusion.surface.box import framed
from mrfusion.surface.distances import Surface, Way
from mrfusion.surface.elements import Elements, border_voxels, elements
from mrfusion.surface.engine import engine
from mrfusion.surface.instances import Instances, matched_one_to_one, pair_distances_mm, pooled_hd95_mm, ranks
from mrfusion.surface.lesions import Match, lesion_hd95_mm, match

Kind = Literal["surfel", "voxel"]


@dataclass(frozen=True)
class Lesions:
    """The target lesions that count under the rule, in the order of their first voxels, and the false ones."""

    found: NDArray[np.bool_]
    dice: NDArray[np.float64]
    hd95_mm: NDArray[np.float64]
    false: int

    @property
    def missed(self) -> int:
        """Lesions that count and were not found."""
        return int(np.count_nonzero(~self.found))

    @property
    def counted(self) -> int:
        """TP + FN + FP: what a lesion-wise mean is over."""
        return len(self.found) + self.false


class MaskPair:
    """Two masks on one grid (2-D or 3-D), cropped to the box of either.

    Inside is what is not 0, or, where ``values`` are given, what has one of them in two label maps.
    ``image_shape`` is the grid of the whole image where the masks are already a crop that holds every voxel of both
    (and ``rule.dilation`` voxels more, where the image has them). Raises CaseError where the two do not fit together.
    """

    def __init__(
        self,
        pred: NDArray[Any],
        target: NDArray[Any],
        spacing_mm: tuple[float, ...],
        *,
        values: Collection[int] | None = None,
        rule: Rule = PLAIN,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        pred, target = np.asarray(pred), np.asarray(target)
        _check(pred, target, spacing_mm)
        self.rule = rule
        self.image_shape = image_shape or pred.shape
        self.flat = pred.ndim == 2
        self.pixel_mm = tuple(float(s) for s in spacing_mm)
        x, y, z = (1.0, *self.pixel_mm)[-3:]  # a flat mask is a layer of thickness 1
        self.spacing_mm: Spacing = (x, y, z)
        volumes = [mask.reshape((1,) * (3 - mask.ndim) + mask.shape) for mask in (pred, target)]
        self._masks = framed(volumes, values, rule.dilation)

    @property
    def pred(self) -> NDArray[np.uint8]:
        """The prediction's crop as bytes 0 and 1 with a layer of zeros on every side, made anew."""
        return self._masks & np.uint8(1)

    @property
    def target(self) -> NDArray[np.uint8]:
        """The target's crop, likewise."""
        return self._masks >> np.uint8(1)

    @property
    def predicted(self) -> int:
        """Voxels in the prediction."""
        return self._counts[0]

    @property
    def targeted(self) -> int:
        """Voxels in the target."""
        return self._counts[1]

    @property
    def both(self) -> int:
        """Voxels in prediction and target: the true positives."""
        return self._counts[2]

    @property
    def voxels(self) -> int:
        """Voxels of the whole image."""
        return prod(self.image_shape)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel (in 2-D: area of a pixel, mm2)."""
        return prod(self.pixel_mm)

    @property
    def penalty_mm(self) -> float:
        """What the rule charges where no surface exists: a fixed distance, or the diagonal of the image."""
        if self.rule.penalty_mm is not None:
            return self.rule.penalty_mm
        return sqrt(sum((n * s) ** 2 for n, s in zip(self.image_shape, self.pixel_mm, strict=True)))

    @cached_property
    def elements(self) -> tuple[Elements, Elements]:
        """Surface elements of prediction and target."""
        return (
            elements(self.pred, self.match.components, self.spacing_mm, flat=self.flat),
            elements(self.target, self.match.lesions, self.spacing_mm, flat=self.flat),
        )

    @cached_property
    def ways(self) -> tuple[Way, Way]:
        """From the prediction's surface to the target's, and back."""
        pred, target = self.elements
        return Way(pred, target), Way(target, pred)

    def surfaces(self, kind: Kind = "surfel") -> tuple[Surface, Surface]:
        """Distances from the prediction's surface to the target's and back; both masks must hold something.

        ``surfel``: elements weighted by their area; ``voxel``: border voxels, each with weight 1.
        """
        if kind not in ("surfel", "voxel"):
            raise SpecError(f"no variant of surface is called {kind!r}; {nearest(str(kind), ('surfel', 'voxel'))}")
        if kind == "voxel":
            there, back = self.voxel_ways
        else:
            there, back = self.ways
        return there.surface, back.surface

    @cached_property
    def _components(self) -> tuple[Any, Any]:
        """The components of prediction and target, as the engine labels them."""
        return engine.label(self.pred), engine.label(self.target)

    @cached_property
    def _borders(self) -> tuple[Elements, Elements]:
        """Their border voxels."""
        pred, target = (
            border_voxels(mask, components, self.spacing_mm, flat=self.flat)
            for mask, components in zip((self.pred, self.target), self._components, strict=True)
        )
        return pred, target

    @cached_property
    def voxel_ways(self) -> tuple[Way, Way]:
        """The same between border voxels."""
        pred, target = self._borders
        return Way(pred, target), Way(target, pred)

    @cached_property
    def instances(self) -> Instances:
        """Which component of the prediction stands for which of the target where each may stand for one only."""
        return matched_one_to_one(*self._components, lambda: (ranks(self._borders[0]), ranks(self._borders[1])))

    @cached_property
    def instance_distances_mm(self) -> list[tuple[NDArray[np.float64], ...]]:
        """For each pair of instances the distances between their borders, there and back."""
        return list(pair_distances_mm(self.instances, self.voxel_ways)) if len(self.instances.lesion) else []

    @cached_property
    def instance_hd95_mm(self) -> NDArray[np.float64]:
        """For each pair of instances the 95th percentile of these distances."""
        return np.array([pooled_hd95_mm(both) for both in self.instance_distances_mm], np.float64)

    @cached_property
    def match(self) -> Match:
        """Which predicted component touches which target lesion."""
        grown = engine.label(engine.dilate(self.target, self.rule.dilation))
        return match(engine.label(self.pred), grown, self.target)

    @cached_property
    def lesions(self) -> Lesions:
        """How well each lesion that counts was found."""
        found = np.bincount(self.match.hits[:, 0], minlength=len(self.match.voxels)) > 0
        counts = self.match.voxels * self.voxel_mm3 > self.rule.smallest_mm3
        counts[0] = False
        hd95_mm = np.full(len(found), np.inf)
        if found.any():
            hd95_mm = lesion_hd95_mm(self.match, *self.ways)
        return Lesions(found[counts], self.match.dice[counts], hd95_mm[counts], self.match.false)

    @cached_property
    def _counts(self) -> tuple[int, int, int]:
        one, other, both = engine.counted(self._masks)
        return int(one), int(other), int(both)


def _check(pred: NDArray[Any], target: NDArray[Any], spacing_mm: tuple[float, ...]) -> None:
    if pred.shape != target.shape:
        raise CaseError(f"prediction {pred.shape} and target {target.shape} differ in shape; resample one to the other")
    if pred.ndim not in (2, 3):
        raise CaseError(f"expected masks in two or three dimensions, found shape {pred.shape}; give one case at a time")
    if len(spacing_mm) != pred.ndim or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise CaseError(f"expected {pred.ndim} positive voxel sizes in mm for shape {pred.shape}, found {spacing_mm}")
