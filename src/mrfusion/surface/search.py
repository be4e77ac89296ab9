"""Kernels that find the nearest point: most lie within a few voxels, the rest is searched group by group.

No distance transform: only the distances at surface elements are needed, a hundredth of the volume.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.compiled import compiled

Corners = NDArray[np.int32]  # (n, 3)
Floats = NDArray[np.float64]
REACH, STEPS, CELL = 6, 123, 8  # voxels looked around (123: all within 3); edge of a group's cell


class Index(NamedTuple):
    """Points in groups: group g is points first[g] .. first[g+1], all of one owner, inside the box low[g] .. high[g].

    ``corners`` are the points in voxels, ``points`` in mm.
    """

    corners: Corners
    points: Floats
    first: NDArray[np.int64]
    owner: NDArray[np.int32]
    low: Floats
    high: Floats


def cell_order(corners: Corners, owner: NDArray[np.int32]) -> NDArray[np.int64]:
    """The order by owner, then by cell of the grid, so that neighbours stand together."""
    return _counted_order(owner.astype(np.int64), _counted_order(_cells(corners), np.arange(len(corners))))


def index(corners: Corners, owner: NDArray[np.int32], spacing_mm: Spacing) -> Index:
    """Group points that stand in the order of :func:`cell_order`: those of one owner and cell are one group."""
    cell, points = _cells(corners), corners * np.array(spacing_mm)
    change = (cell[1:] != cell[:-1]) | (owner[1:] != owner[:-1])
    first = np.concatenate(([0], np.flatnonzero(change) + 1, [len(corners)]))
    low, high = _boxes(points, first)
    return Index(corners, points, first, owner.take(first[:-1]), low, high)


def look_around(points: Corners, codes: NDArray[np.uint8], spacing_mm: Spacing) -> Corners:
    """For each point the nearest surface element of a map of codes if it is close by, else -1."""
    found = np.full_like(points, -1)
    _look_around(points, codes, _steps(spacing_mm), found)
    return found


def nearest(points: Corners, others: Index, spacing_mm: Spacing, owners: NDArray[np.int64] | None = None) -> Corners:
    """For each point the nearest of the others, or of those of some owners; of equally near ones, any.

    There is at least one of either.
    """
    groups = np.arange(len(others.low)) if owners is None else np.flatnonzero(np.isin(others.owner, owners))
    here = index(points, np.zeros(len(points), np.int32), spacing_mm)
    return others.corners.take(_search_groups(here, others, groups), axis=0)


@lru_cache(maxsize=16)
def _steps(spacing_mm: Spacing) -> Corners:
    """Steps to the voxels around, nearest first: a whole ball or the inner part of it, so that the first hit is it."""
    axis = np.arange(-REACH, REACH + 1, dtype=np.int32)
    steps = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    square = ((steps * np.array(spacing_mm)) ** 2).sum(axis=1)
    order = np.argsort(square, kind="stable")
    return np.ascontiguousarray(steps[order[square[order] <= (REACH * min(spacing_mm)) ** 2][:STEPS]])


@compiled
def _look_around(points: Corners, codes: NDArray[np.uint8], steps: Corners, found: Corners) -> None:
    """Go through the steps from each point until one meets a surface element (a code neither 0 nor 255)."""
    X, Y, Z = codes.shape
    for i in range(len(points)):
        for s in range(len(steps)):
            x, y, z = points[i, 0] + steps[s, 0], points[i, 1] + steps[s, 1], points[i, 2] + steps[s, 2]
            if 0 <= x < X and 0 <= y < Y and 0 <= z < Z and 0 < codes[x, y, z] < 255:
                found[i, 0], found[i, 1], found[i, 2] = x, y, z
                break


@compiled
def _cells(corners: Corners) -> NDArray[np.int64]:
    """The cell of the grid that each corner lies in."""
    Y, Z = corners[:, 1].max() // CELL + 1, corners[:, 2].max() // CELL + 1
    cell = np.empty(len(corners), np.int64)
    for i in range(len(corners)):
        cell[i] = (corners[i, 0] // CELL * Y + corners[i, 1] // CELL) * Z + corners[i, 2] // CELL
    return cell


@compiled
def _counted_order(key: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort by key, equal keys in the order given: count each key, then put everything in its place."""
    place = np.zeros(key.max() + 2, np.int64)
    for k in key:
        place[k + 1] += 1
    place = np.cumsum(place)
    result = np.empty_like(order)
    for i in order:
        result[place[key[i]]] = i
        place[key[i]] += 1
    return result


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
