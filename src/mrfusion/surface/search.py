"""Kernels that find the nearest point: most lie within a few voxels, the rest is searched group by group.

No distance transform: only the distances at surface elements are needed, a hundredth of the volume.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.compiled import compiled

Corners = NDArray[np.int32]  # (n, 3)
Floats = NDArray[np.float64]
REACH, STEPS, CELL = 6, 200, 8  # voxels looked around, at most so many; edge of a group's cell


def nearest(points: Corners, others: Corners, spacing_mm: Spacing, codes: NDArray[np.uint8] | None = None) -> Corners:
    """For each point the nearest of the others, of which there is at least one (of equally near ones, any).

    Where the others are all the surface elements of a mask, its map of codes makes the search fast.
    """
    found = np.full_like(points, -1)
    if codes is not None:
        _look_around(points, codes, _steps(spacing_mm), found)
    astray = np.flatnonzero(found[:, 0] < 0)
    if len(astray):
        found[astray] = _by_groups(points[astray], others, spacing_mm)
    return found


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


class _Groups(NamedTuple):
    """Points in mm sorted by cell: group g is points first[g] .. first[g+1], inside the box low[g] .. high[g]."""

    points: Floats
    first: NDArray[np.int64]
    low: Floats
    high: Floats


def _by_groups(points: Corners, others: Corners, spacing_mm: Spacing) -> Corners:
    """Group both sets by cells; a group's box says what none of its points can be nearer than."""
    (order, here), (other_order, there) = (_grouped(p, spacing_mm) for p in (points, others))
    index = np.empty(len(points), np.int64)
    _search_groups(here, there, index)
    found = np.empty_like(points)
    found[order] = others[other_order[index]]
    return found


def _grouped(points: Corners, spacing_mm: Spacing) -> tuple[NDArray[np.int64], _Groups]:
    cell = (points // CELL).astype(np.int64)
    width = cell.max(axis=0) + 1
    key = (cell[:, 0] * width[1] + cell[:, 1]) * width[2] + cell[:, 2]
    order = np.argsort(key)
    key, at = key[order], points[order] * np.array(spacing_mm)
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    low, high = np.minimum.reduceat(at, first), np.maximum.reduceat(at, first)
    return order, _Groups(at, np.append(first, len(at)), low, high)


@compiled
def _search_groups(here: _Groups, there: _Groups, index: NDArray[np.int64]) -> None:
    """For each point of one set the index of its nearest in the other, for a whole group from one short list.

    If a group's first point is d from its nearest, no point of the group can be farther than d + the group's diameter
    from its own: groups of the other set beyond that are left out for all of them. The best so far starts with the
    partner of the point before, which is a neighbour and so already close.
    """
    every = np.arange(len(there.low))
    best = 0
    for g in range(len(here.low)):
        start, stop = here.first[g], here.first[g + 1]
        best = _nearest_in(here.points[start], every, there, best)
        reach = np.sqrt(_square(here.points[start], there.points[best])) + np.sqrt(_square(here.low[g], here.high[g]))
        limit = reach * reach * (1.0 + 1e-9)  # above any rounding
        near = np.empty(len(every), np.int64)
        count = 0
        for h in every:
            if _gap(here.low[g], here.high[g], there.low[h], there.high[h]) <= limit:
                near[count] = h
                count += 1
        for i in range(start, stop):
            best = _nearest_in(here.points[i], near[:count], there, best)
            index[i] = best


@compiled
def _nearest_in(point: Floats, groups: NDArray[np.int64], there: _Groups, best: int) -> int:
    """The nearest to a point in the groups listed, or ``best`` if none is nearer; a group too far is passed over."""
    least = _square(point, there.points[best])
    for h in groups:
        if _gap(point, point, there.low[h], there.high[h]) < least:
            for j in range(there.first[h], there.first[h + 1]):
                square = _square(point, there.points[j])
                if square < least:
                    least, best = square, j
    return best


@compiled
def _square(a: Floats, b: Floats) -> float:
    """The squared distance of two points."""
    total = 0.0
    for axis in range(3):
        total += (a[axis] - b[axis]) ** 2
    return total


@compiled
def _gap(low: Floats, high: Floats, other_low: Floats, other_high: Floats) -> float:
    """The squared distance of two boxes; 0 where they overlap."""
    total = 0.0
    for axis in range(3):
        gap = max(other_low[axis] - high[axis], low[axis] - other_high[axis], 0.0)
        total += gap * gap
    return total
