"""Which predicted component belongs to which lesion of the target, and how well each lesion was found.

The dilation of one lesion is one component of the dilated target, so nothing is dilated lesion by lesion; common
volumes come from one table of label pairs; and the nearest element of the whole other surface is also the nearest of
a lesion's partner if it belongs to it, so only the rest is searched again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.distances import between, ordered
from mrfusion.surface.elements import Elements, owners
from mrfusion.surface.engine import engine


@dataclass(frozen=True)
class Match:
    """Components of the prediction against lesions of the target, before any distance.

    ``pred_labels`` and ``lesion_labels`` number components (1..P) and lesions (1..L) on the grid; ``hit`` (L+1, P+1)
    says which touch; ``voxels`` (L+1,) the size of each lesion and ``dice`` (L+1,) its Dice with all components that
    touch it. Row and column 0 stand for the background.
    """

    pred_labels: NDArray[np.unsignedinteger]
    lesion_labels: NDArray[np.unsignedinteger]
    hit: NDArray[np.bool_]
    voxels: NDArray[np.int64]
    dice: NDArray[np.float64]

    @property
    def false(self) -> int:
        """Predicted components that touch no lesion, whatever their size."""
        return self.hit.shape[1] - 1 - int(np.count_nonzero(self.hit.any(axis=0)))


def match(pred: NDArray[np.bool_], target: NDArray[np.bool_], dilation: int) -> Match:
    """Label both masks (x, y, z), merge target lesions whose dilations touch, and say which component touches which."""
    pred_labels = engine.label(pred)
    grown = engine.label(engine.dilate(target, dilation))
    reach = engine.overlaps(pred_labels, grown)
    lesion_labels = grown * target
    common = engine.overlaps(pred_labels, lesion_labels)
    shape = (int(grown.max(initial=0)) + 1, int(pred_labels.max(initial=0)) + 1)
    hit = np.zeros(shape, bool)
    hit[reach[:, 1], reach[:, 0]] = True
    hit[0] = hit[:, 0] = False
    table = np.zeros(shape, np.int64)
    table[common[:, 1], common[:, 0]] = common[:, 2]
    voxels, partner = table.sum(axis=1), hit @ table.sum(axis=0)
    shared = (table * hit).sum(axis=1)
    dice = np.divide(2.0 * shared, partner + voxels, out=np.zeros(shape[0]), where=partner + voxels > 0)
    return Match(pred_labels, lesion_labels, hit, voxels, dice)


def lesion_hd95_mm(
    found: Match, pred: Elements, target: Elements, spacing_mm: Spacing, partners: tuple[NDArray[np.int32], ...]
) -> NDArray[np.float64]:
    """HD95 (surfel) of each lesion (L+1,) against all components that touch it; inf where none does.

    ``partners`` holds, for each element of the prediction and of the target, the nearest corner of the other surface.
    """
    sides = [
        _Side(pred, target, partners[0], spacing_mm, (found.pred_labels, found.lesion_labels)),
        _Side(target, pred, partners[1], spacing_mm, (found.lesion_labels, found.pred_labels)),
    ]
    result = np.full(len(found.voxels), np.inf)
    for lesion in np.flatnonzero(found.hit.any(axis=1)):
        only = np.arange(len(found.voxels)) == lesion
        result[lesion] = max(
            sides[0].percentile(found.hit[lesion], only, sides[1]),
            sides[1].percentile(only, found.hit[lesion], sides[0]),
        )
    return result


class _Side:
    """The elements of one surface: whose each is, its nearest element of the other surface, and whose that is."""

    def __init__(
        self,
        own: Elements,
        other: Elements,
        partner: NDArray[np.int32],
        spacing_mm: Spacing,
        labels: tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]],
    ) -> None:
        self.at, self.partner, self.spacing_mm = own.at, partner, spacing_mm
        self.area_mm2 = own.area_mm2(spacing_mm)
        self.owner = own.owner(labels[0])
        self.partner_owner = owners(partner, other.codes[tuple(partner.T)], labels[1])

    def percentile(self, mine: NDArray[np.bool_], theirs: NDArray[np.bool_], other: "_Side") -> float:
        """The 95th percentile of the distances from the elements of the labels ``mine`` to those of ``theirs``."""
        chosen = np.flatnonzero(mine[self.owner])
        partner = self.partner[chosen]
        astray = np.flatnonzero(~theirs[self.partner_owner[chosen]])
        if len(astray):
            rest = other.at[theirs[other.owner]]
            partner[astray] = engine.nearest(self.at[chosen[astray]], rest, self.spacing_mm)
        distance_mm = between(self.at[chosen], partner, self.spacing_mm)
        return ordered(distance_mm, self.area_mm2[chosen]).percentile(95.0)
