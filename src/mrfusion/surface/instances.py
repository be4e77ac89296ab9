"""Components matched one to one: each of the target to at most one of the prediction, the total Dice the largest.

The rules of 2026 (panoptica's maximum bipartite matching, Apache-2.0, read for the definition): a pair that overlaps
costs 1 - Dice, any other 1 + 1e-6, and the assignment of least cost is taken. A component and a lesion that overlap
nothing but each other are a pair in every such assignment; only the others are searched, and they are few.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.distances import Way
from mrfusion.surface.elements import Elements
from mrfusion.surface.engine import engine

Ints = NDArray[np.int64]
LEAST_DICE = 1e-6  # a pair must have more, and a pair that does not overlap costs this much more than one of Dice 0


@dataclass(frozen=True)
class Instances:
    """Pairs (k,) of a target's lesion and a predicted component, by their labels from 1, ascending by lesion.

    ``dice`` is each pair's own; ``voxels`` (L,) the size of every lesion; ``components`` how many the prediction has.
    """

    lesion: Ints
    component: Ints
    dice: NDArray[np.float64]
    voxels: Ints
    components: int

    @property
    def missed(self) -> int:
        """Lesions without a component."""
        return len(self.voxels) - len(self.lesion)

    @property
    def false(self) -> int:
        """Components without a lesion."""
        return self.components - len(self.component)

    @property
    def sizes(self) -> Ints:
        """Voxels of the lesion of each pair."""
        return self.voxels.take(self.lesion - 1)


def matched_one_to_one(predicted: Any, targeted: Any, order: Callable[[], tuple[Ints, Ints]]) -> Instances:
    """The pairs of least cost; both are components as the engine labels them.

    ``order`` gives the rank (label,) of each component of prediction and target, see :func:`ranks`; it is asked only
    where components compete, for where two assignments cost the same the order decides.
    """
    size, voxels = engine.sizes(predicted), engine.sizes(targeted)
    lesion, component, common = engine.overlaps(targeted, predicted).T
    dice = 2.0 * common / (voxels.take(lesion) + size.take(component))
    enough = dice > LEAST_DICE
    lesion, component, dice = lesion[enough], component[enough], dice[enough]
    alone = (np.bincount(lesion).take(lesion) == 1) & (np.bincount(component).take(component) == 1)
    chosen = np.flatnonzero(alone)
    rest = np.flatnonzero(~alone)
    if len(rest):
        columns, rows = order()
        best = _best(rows.take(lesion[rest]), columns.take(component[rest]), dice[rest])
        chosen = np.sort(np.concatenate([chosen, rest[best]]))
    return Instances(lesion[chosen], component[chosen], dice[chosen], voxels[1:], len(size) - 1)


def ranks(borders: Elements) -> Ints:
    """The place (label,) of each component among all by its first voxel along z, then y, then x; entry 0 is 0.

    That is the order in which the challenge's package numbers components; the first voxel always lies at the border.
    """
    rows, columns = borders.at[:, :2].max(axis=0) + 1
    place = (borders.at[:, 2] * np.int64(columns) + borders.at[:, 1]) * rows + borders.at[:, 0]
    first = np.full(borders.labels + 1, -1)
    first[1:] = np.iinfo(np.int64).max
    np.minimum.at(first, borders.owner, place)
    return np.argsort(np.argsort(first))


def pair_distances_mm(found: Instances, ways: tuple[Way, Way]) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """For each pair the distances from its component's border to its lesion's, and back.

    ``ways`` lead from the prediction's border voxels to the target's and back.
    """
    there, back = ways
    for lesion, component in zip(found.lesion[:, None], found.component[:, None], strict=True):
        yield there.between(component, lesion)[0], back.between(lesion, component)[0]


def pooled_hd95_mm(distances_mm: tuple[NDArray[np.float64], ...]) -> float:
    """The 95th percentile of all distances together, interpolated (numpy's default, without its general machinery)."""
    pooled = np.concatenate(distances_mm)
    place = 0.95 * (len(pooled) - 1)
    low = math.floor(place)
    high = min(low + 1, len(pooled) - 1)
    part = np.partition(pooled, (low, high))
    return float(part[low] + (part[high] - part[low]) * (place - low))


def _best(row: Ints, column: Ints, dice: NDArray[np.float64]) -> Ints:
    """Which overlaps are pairs, of those that compete."""
    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    place = np.full((len(rows), len(columns)), -1)
    place[row, column] = np.arange(len(row))
    cost = np.full(place.shape, 1.0 + LEAST_DICE)
    cost[row, column] = 1.0 - dice
    found: Ints = place[engine.linear_sum_assignment(cost)]
    return found[found >= 0]
