"""Which predicted component belongs to which lesion of the target, and how well each lesion was found.

The dilation of one lesion is one component of the dilated target, so nothing is dilated lesion by lesion; common
volumes come from one table of label pairs; and the nearest element of the whole other surface is also the nearest of
a lesion's partner if it belongs to it, so only the rest is searched again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing, surfel_areas
from mrfusion.surface.distances import between, ordered
from mrfusion.surface.elements import Elements, inside
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Match:
    """Lesions of the target 1..L (entry 0 is empty) and the components 1..P of the prediction that touch them.

    ``hits`` rows (lesion, component), ascending; ``voxels`` (L+1,) the size of each lesion; ``dice`` (L+1,) its Dice
    with all components that touch it together; ``false`` the components, of whatever size, that touch none.
    ``components`` and ``lesions`` are the labels themselves, as the engine keeps them.
    """

    hits: NDArray[np.int64]
    voxels: NDArray[np.int64]
    dice: NDArray[np.float64]
    false: int
    components: Any
    lesions: Any


def match(pred: NDArray[np.uint8], target: NDArray[np.uint8], dilation: int) -> Match:
    """Label both framed masks, merge target lesions whose dilations touch, and say which component touches which."""
    components, grown = engine.label(pred), engine.label(engine.dilate(target, dilation))
    lesions = engine.restrict(grown, target)
    size, voxels = engine.sizes(components), engine.sizes(lesions)
    lesion, component, _ = engine.overlaps(grown, components).T
    partner = np.bincount(lesion, weights=size[component], minlength=len(voxels))
    common = engine.overlaps(lesions, components)
    shared = np.bincount(common[:, 0], weights=common[:, 2], minlength=len(voxels))
    dice = 2.0 * shared / np.maximum(partner + voxels, 1)
    false = len(size) - 1 - len(np.unique(component))
    return Match(np.stack([lesion, component], axis=1), voxels, dice, false, components, lesions)


def lesion_hd95_mm(
    found: Match, pred: Elements, target: Elements, spacing_mm: Spacing, partners: tuple[NDArray[np.int32], ...]
) -> NDArray[np.float64]:
    """HD95 (surfel) of each lesion (L+1,) against all components that touch it; inf where none does.

    ``partners`` holds, for each element of the prediction and of the target, the nearest corner of the other surface.
    """
    predicted = _Side(pred, target, partners[0], found.components, found.lesions)
    wanted = _Side(target, pred, partners[1], found.lesions, found.components)
    result = np.full(len(found.voxels), np.inf)
    for lesion in np.unique(found.hits[:, 0]):
        touching = found.hits[found.hits[:, 0] == lesion, 1]
        back = predicted.percentile(touching, lesion, wanted, spacing_mm)
        result[lesion] = max(back, wanted.percentile(lesion, touching, predicted, spacing_mm))
    return result


class _Side:
    """The elements of one surface: whose each is, its nearest element of the other surface, and whose that is."""

    def __init__(
        self, own: Elements, other: Elements, partner: NDArray[np.int32], own_labels: Any, other_labels: Any
    ) -> None:
        self.own, self.partner = own, partner
        self.owner = engine.owners(own_labels, inside(own.at, own.code))
        self.partner_owner = engine.owners(other_labels, inside(partner, other.codes[tuple(partner.T)]))

    def percentile(self, mine: Any, theirs: Any, other: "_Side", spacing_mm: Spacing) -> float:
        """The 95th percentile of the distances from the elements of the labels ``mine`` to those of ``theirs``."""
        chosen = np.flatnonzero(np.isin(self.owner, mine))
        at, partner = self.own.at[chosen], self.partner[chosen]
        astray = np.flatnonzero(np.isin(self.partner_owner[chosen], theirs, invert=True))
        if len(astray):
            rest = other.own.at[np.isin(other.owner, theirs)]
            partner[astray] = engine.nearest(at[astray], rest, spacing_mm)
        surface = ordered(between(at, partner, spacing_mm), self.own.code[chosen], surfel_areas(spacing_mm))
        return surface.percentile(95.0)
