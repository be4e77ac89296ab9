"""Which predicted component belongs to which lesion of the target, and how well each lesion was found.

The dilation of one lesion is one component of the dilated target, so nothing is dilated lesion by lesion; common
volumes come from one table of label pairs; and the nearest element of the whole other surface is also the nearest of
a lesion's partner if it belongs to it, so only the rest is searched again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.distances import Way
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Match:
    """Lesions of the target 1..L (entry 0 is empty) and the components 1..P of the prediction that touch them.

    ``hits`` rows (lesion, component), ascending; ``voxels`` (L+1,) the size of each lesion; ``dice`` (L+1,) its Dice
    with all components that touch it together; ``false`` the components, of whatever size, that touch none.
    ``components`` and ``lesions`` are the labels themselves, as the engine made them.
    """

    hits: NDArray[np.int64]
    voxels: NDArray[np.int64]
    dice: NDArray[np.float64]
    false: int
    components: Any
    lesions: Any


def match(components: Any, grown: Any, target: NDArray[np.uint8]) -> Match:
    """Which of the prediction's components touch which lesion of the framed target.

    Lesions whose dilations touch are one: ``grown`` are the components of the dilated target.
    """
    lesions = engine.restrict(grown, target)
    size, voxels = engine.sizes(components), engine.sizes(lesions)
    lesion, component, _ = engine.overlaps(grown, components).T
    partner = np.bincount(lesion, weights=size[component], minlength=len(voxels))
    common = engine.overlaps(lesions, components)
    shared = np.bincount(common[:, 0], weights=common[:, 2], minlength=len(voxels))
    dice = 2.0 * shared / np.maximum(partner + voxels, 1)
    false = len(size) - 1 - len(np.unique(component))
    return Match(np.stack([lesion, component], axis=1), voxels, dice, false, components, lesions)


def lesion_hd95_mm(found: Match, there: Way, back: Way) -> NDArray[np.float64]:
    """HD95 (surfel) of each lesion (L+1,) against all components that touch it; inf where none does.

    ``there`` leads from the prediction's surface to the target's, ``back`` from that to the prediction's.
    """
    result = np.full(len(found.voxels), np.inf)
    lesions, first = np.unique(found.hits[:, 0], return_index=True)
    for lesion, touching in zip(lesions[:, None], np.split(found.hits[:, 1], first[1:]), strict=True):
        result[lesion] = max(there.hd95_mm(touching, lesion), back.hd95_mm(lesion, touching))
    return result
