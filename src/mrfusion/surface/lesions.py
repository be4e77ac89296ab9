"""Which predicted component belongs to which lesion of the target, and how well each lesion was found.

The dilation of one lesion is one component of the dilated target, so nothing is dilated lesion by lesion; common
volumes come from one table of label pairs; and the nearest element of the whole other surface is also the nearest of
a lesion's partner if it belongs to it, so only the rest is searched again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.distances import between, ordered
from mrfusion.surface.elements import Elements
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
    found: Match, pred: Elements, target: Elements, partners: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> NDArray[np.float64]:
    """HD95 (surfel) of each lesion (L+1,) against all components that touch it; inf where none does.

    ``partners`` holds, for each element of the prediction and of the target, the nearest corner of the other surface.
    """
    there = _Way(pred, target, partners[0], engine.owners(found.lesions, partners[0], target.codes))
    back = _Way(target, pred, partners[1], engine.owners(found.components, partners[1], pred.codes))
    result = np.full(len(found.voxels), np.inf)
    lesions, first = np.unique(found.hits[:, 0], return_index=True)
    for lesion, touching in zip(lesions[:, None], np.split(found.hits[:, 1], first[1:]), strict=True):
        result[lesion] = max(there.hd95_mm(touching, lesion), back.hd95_mm(lesion, touching))
    return result


class _Way:
    """From one surface to the other: each element's distance to the nearest element, and whose that is."""

    def __init__(self, own: Elements, other: Elements, partner: NDArray[np.int32], owner: NDArray[np.int32]) -> None:
        self.own, self.other, self.partner_owner = own, other, owner
        self.distance_mm = between(own.at, partner, own.spacing_mm)

    def hd95_mm(self, mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
        """The 95th percentile of the distances from the elements of the labels ``mine`` to those of ``theirs``.

        An element whose nearest has another label is searched again.
        """
        own, other = self.own, self.other
        chosen = np.concatenate([np.arange(own.first[k], own.first[k + 1]) for k in mine])
        distance_mm = self.distance_mm.take(chosen)
        astray = np.flatnonzero(~np.isin(self.partner_owner.take(chosen), theirs))
        if len(astray):
            at = own.at.take(chosen.take(astray), axis=0)
            distance_mm[astray] = between(at, engine.nearest(at, other.index, own.spacing_mm, theirs), own.spacing_mm)
        return ordered(distance_mm, own.area.take(chosen), own.areas).percentile(95.0)
