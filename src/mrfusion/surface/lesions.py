"""Which predicted component belongs to which lesion of the target, and how well each lesion was found.

The dilation of one lesion is one component of the dilated target, so nothing is dilated lesion by lesion; common
volumes come from one table of label pairs; and the nearest element of the whole other surface is also the nearest of
a lesion's partner if it belongs to it, so only the rest is searched again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
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
    found: Match, pred: Elements, target: Elements, spacing_mm: Spacing, partners: tuple[NDArray[np.int32], ...]
) -> NDArray[np.float64]:
    """HD95 (surfel) of each lesion (L+1,) against all components that touch it; inf where none does.

    ``partners`` holds, for each element of the prediction and of the target, the nearest corner of the other surface.
    """
    owners = (
        engine.owners(found.lesions, partners[0], target.codes),
        engine.owners(found.components, partners[1], pred.codes),
    )
    result = np.full(len(found.voxels), np.inf)
    lesions, first = np.unique(found.hits[:, 0], return_index=True)
    for lesion, touching in zip(lesions[:, None], np.split(found.hits[:, 1], first[1:]), strict=True):
        there = _directed(pred, touching, target, lesion, (partners[0], owners[0]), spacing_mm)
        back = _directed(target, lesion, pred, touching, (partners[1], owners[1]), spacing_mm)
        result[lesion] = max(there, back)
    return result


def _directed(
    own: Elements,
    mine: NDArray[np.int64],
    other: Elements,
    theirs: NDArray[np.int64],
    known: tuple[NDArray[np.int32], NDArray[np.int32]],
    spacing_mm: Spacing,
) -> float:
    """The 95th percentile of the distances from the elements of the labels ``mine`` to those of ``theirs``.

    ``known`` is each element's nearest corner of the whole other surface and the label of that: a partner of another
    label is searched again.
    """
    chosen = np.concatenate([np.arange(own.first[k], own.first[k + 1]) for k in mine])
    at, partner = own.at.take(chosen, axis=0), known[0].take(chosen, axis=0)
    astray = np.flatnonzero(~np.isin(known[1].take(chosen), theirs))
    if len(astray):
        partner[astray] = engine.nearest(at.take(astray, axis=0), other.index, spacing_mm, owners=theirs)
    return ordered(between(at, partner, spacing_mm), own.area.take(chosen), own.areas).percentile(95.0)
