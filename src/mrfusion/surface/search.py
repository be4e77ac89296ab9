"""Kernels that find the nearest point however far it is: group by group.

No distance transform: only the distances at surface elements are needed, a hundredth of the volume.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.compiled import compiled

Corners = NDArray[np.int32]  # (n, 3)
Floats = NDArray[np.float64]
CELL = 8  # edge in voxels of the cell that a group lies in


class Index(NamedTuple):
    """Points in groups: group g is points first[g] .. first[g+1], all of one owner, inside the box low[g] .. high[g].

    ``points`` are in mm; ``place`` is where each stood in the list they came from.
    """

    place: NDArray[np.int64]
    points: Floats
    first: NDArray[np.int64]
    owner: NDArray[np.int32]
    low: Floats
    high: Floats


def grouped(owner: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order by owner, and where in it each owner's points begin (largest owner + 2,)."""
    return _counted_order(owner, np.arange(len(owner)))


def index(corners: Corners, owner: NDArray[np.int32], spacing_mm: Spacing) -> Index:
    """Group points, at least one: those of one owner in one cell of the grid are one group."""
    cell = _cells(corners)
    place, _ = _counted_order(owner, _counted_order(cell, np.arange(len(corners)))[0])
    points, cell, owner = corners.take(place, axis=0) * np.array(spacing_mm), cell.take(place), owner.take(place)
    change = (cell[1:] != cell[:-1]) | (owner[1:] != owner[:-1])
    first = np.concatenate(([0], np.flatnonzero(change) + 1, [len(corners)]))
    low, high = _boxes(points, first)
    return Index(place, points, first, owner.take(first[:-1]), low, high)


def nearest(
    points: Corners, others: Index, spacing_mm: Spacing, owners: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """For each point which of the others, or of those of some owners, is the nearest; of equally near ones, any.

    There is at least one of either.
    """
    groups = np.arange(len(others.low)) if owners is None else _groups_of(others, owners)
    here = index(points, np.zeros(len(points), np.int32), spacing_mm)
    found = np.empty(len(points), np.int64)
    found[here.place] = others.place.take(_search_groups(here, others, groups))
    return found


def _groups_of(others: Index, owners: NDArray[np.int64]) -> NDArray[np.int64]:
    wanted = np.zeros(int(others.owner.max()) + 1, bool)
    wanted[owners] = True
    return np.flatnonzero(wanted.take(others.owner))


@compiled
def apart(points: Corners, others: Corners, partner: NDArray[Any], spacing_mm: Spacing) -> Floats:
    """Distance in mm from each point to its partner among the others, both in voxels (n, 3)."""
    found = np.empty(len(points), np.float64)
    for i in range(len(points)):
        a = (points[i, 0] - others[partner[i], 0]) * spacing_mm[0]
        b = (points[i, 1] - others[partner[i], 1]) * spacing_mm[1]
        c = (points[i, 2] - others[partner[i], 2]) * spacing_mm[2]
        found[i] = np.sqrt((a * a + b * b) + c * c)
    return found


@compiled
def _cells(corners: Corners) -> NDArray[np.int64]:
    """The cell of the grid that each corner lies in."""
    Y, Z = corners[:, 1].max() // CELL + 1, corners[:, 2].max() // CELL + 1
    cell = np.empty(len(corners), np.int64)
    for i in range(len(corners)):
        cell[i] = (corners[i, 0] // CELL * Y + corners[i, 1] // CELL) * Z + corners[i, 2] // CELL
    return cell


@compiled
def _counted_order(key: NDArray[Any], order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort by key, equal keys in the order given: count each key, then put everything in its place.

    Also where each key begins.
    """
    first = np.zeros(key.max() + 2, np.int64)
    for k in key:
        first[k + 1] += 1
    first = np.cumsum(first)
    place, result = first.copy(), np.empty_like(order)
    for i in order:
        result[place[key[i]]] = i
        place[key[i]] += 1
    return result, first


@compiled
def _boxes(points: Floats, first: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The smallest and the largest coordinates of each group."""
    low, high = points[first[:-1]], points[first[:-1]]
    for g in range(len(low)):
        for i in range(first[g], first[g + 1]):
            for axis in range(3):
                low[g, axis] = min(low[g, axis], points[i, axis])
                high[g, axis] = max(high[g, axis], points[i, axis])
    return low, high


@compiled
def _search_groups(here: Index, there: Index, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each point of one set the nearest in some groups of the other, for a whole group from one short list.

    If a group's first point is d from its nearest, no point of the group can be farther than d + the group's diameter
    from its own: groups of the other set beyond that are left out for all of them. The best so far starts with the
    partner of the point before, which is a neighbour and so already close.
    """
    found = np.empty(len(here.points), np.int64)
    best = there.first[groups[0]]
    near = np.empty(len(groups), np.int64)
    for g in range(len(here.low)):
        start = here.first[g]
        best = _nearest_in(here.points, start, groups, there, best)
        d = np.sqrt(_square(here.points, start, there.points, best))
        reach = d + np.sqrt(_square(here.low, g, here.high, g))
        count = 0
        for h in groups:
            if _gap(here.low, here.high, g, there, h) <= reach * reach * (1.0 + 1e-9):  # above any rounding
                near[count] = h
                count += 1
        for i in range(start, here.first[g + 1]):
            best = _nearest_in(here.points, i, near[:count], there, best)
            found[i] = best
    return found


@compiled
def _nearest_in(points: Floats, i: int, groups: NDArray[np.int64], there: Index, best: int) -> int:
    """The nearest to point i in the groups listed, or ``best`` if none is nearer; a group too far is passed over."""
    least = _square(points, i, there.points, best)
    for h in groups:
        if _gap(points, points, i, there, h) < least:
            for j in range(there.first[h], there.first[h + 1]):
                square = _square(points, i, there.points, j)
                if square < least:
                    least, best = square, j
    return best


@compiled
def _square(a: Floats, i: int, b: Floats, j: int) -> float:
    """The squared distance of two points."""
    x, y, z = a[i, 0] - b[j, 0], a[i, 1] - b[j, 1], a[i, 2] - b[j, 2]
    square: float = x * x + y * y + z * z
    return square


@compiled
def _gap(low: Floats, high: Floats, g: int, there: Index, h: int) -> float:
    """The squared distance of the box low[g] .. high[g] and a group's; 0 where they overlap."""
    x = max(there.low[h, 0] - high[g, 0], low[g, 0] - there.high[h, 0], 0.0)
    y = max(there.low[h, 1] - high[g, 1], low[g, 1] - there.high[h, 1], 0.0)
    z = max(there.low[h, 2] - high[g, 2], low[g, 2] - there.high[h, 2], 0.0)
    square: float = x * x + y * y + z * z
    return square
