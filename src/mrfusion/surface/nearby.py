"""Kernels that list a mask's surface elements and find those close to a point.

Most elements of a surface lie within a few voxels of the other surface. Whether a corner is an element is one bit: a
row of 64 corners is one word, those of a whole volume fit into the processor's cache, and the fifteen corners before
and behind a point are looked at in one step.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.areas import Spacing
from mrfusion.surface.compiled import compiled

Frame = NDArray[np.uint8]
Ints = NDArray[np.int32]
REACH = 7  # voxels looked around: a window of 15 bits, of which there are 32768
ONE, LAST, WINDOW = np.uint64(1), np.uint64(63), np.uint64((1 << (2 * REACH + 1)) - 1)


class Marks(NamedTuple):
    """Where the elements are: corner (x, y, z) is bit z + REACH of row (x + REACH) * width + y + REACH.

    ``before`` (rows + 1,) counts the elements in the rows before each.
    """

    width: int
    before: Ints
    bits: NDArray[np.uint64]


class Columns(NamedTuple):
    """The columns along z around a point, nearest first: steps in x and y, and the squared distance in mm2.

    ``along`` (REACH + 1,) are squared distances along z. Whatever is nearer than the root of ``limit`` is in a column.
    """

    steps: NDArray[np.int64]
    square: NDArray[np.float64]
    along: NDArray[np.float64]
    limit: float


def corners(frame: Frame) -> tuple[Ints, Frame, Marks]:
    """The corners (n, 3) with voxels both inside and outside around them, in C order, their codes (n,), their marks.

    A code's bits are those of :func:`mrfusion.surface.areas.surfel_areas`.
    """
    before = _counted(frame)
    at, code, bits = _listed(frame, before)
    return at, code, Marks(frame.shape[1] - 1 + 2 * REACH, before, bits)


def look_around(points: Ints, marks: Marks, spacing_mm: Spacing) -> Ints:
    """For each point which element is the nearest if one is close by, else -1; of equally near ones, any."""
    columns = _columns(spacing_mm)
    steps = columns.steps @ np.array([marks.width, 1])
    return _look_around(points, marks, columns, steps, _depths())


def borders(frame: Frame, *, flat: bool) -> tuple[Ints, Marks]:
    """The mask's voxels (n, 3) with a face to the outside, in C order, and their marks.

    Faces along x are not asked where the frame is ``flat``, one layer of voxels.
    """
    width = frame.shape[1] + 2 * REACH
    before = _border_counted(frame, width, flat)
    at, bits = _border_listed(frame, before, width, flat)
    return at, Marks(width, before, bits)


@lru_cache(maxsize=16)
def _columns(spacing_mm: Spacing) -> Columns:
    """What is nearer than REACH + 1 of the smallest steps is at most REACH steps away along each axis."""
    x, y, z = spacing_mm
    limit = ((REACH + 1) * min(spacing_mm)) ** 2
    axis = np.arange(-REACH, REACH + 1, dtype=np.float64)
    steps = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    square = (steps[:, 0] * x) ** 2 + (steps[:, 1] * y) ** 2
    order = np.argsort(square, kind="stable")
    order = order[square[order] < limit]
    return Columns(steps[order].astype(np.int64), square[order], (axis[REACH:] * z) ** 2, limit)


@lru_cache(maxsize=1)
def _depths() -> NDArray[np.int8]:
    """For each window of bits how many steps along z it is from its middle to the nearest one."""
    nearest = np.zeros(int(WINDOW) + 1, np.int8)
    windows = np.arange(len(nearest))
    for step in sorted(range(-REACH, REACH + 1), key=abs, reverse=True):
        nearest[windows >> (step + REACH) & 1 == 1] = step
    return nearest


@compiled
def _edge(a: Frame, x: int, y: int, flat: bool, edge: Frame) -> None:
    """Write into ``edge`` (z,) where a row's voxels are inside and one of the six that share a face is not."""
    here, left, right = a[x, y], a[x, y - 1], a[x, y + 1]
    low, high = (here, here) if flat else (a[x - 1, y], a[x + 1, y])
    for z in range(1, len(here) - 1):
        edge[z] = here[z] & ~(left[z] & right[z] & low[z] & high[z] & here[z - 1] & here[z + 1]) & np.uint8(1)


@compiled
def _border_counted(a: Frame, width: int, flat: bool) -> Ints:
    """How many border voxels come before each row of the marks; rows without any voxel are passed over."""
    X, Y, Z = a.shape
    before = np.zeros((X + 2 * REACH) * width + 1, np.int32)
    edge = np.zeros(Z, np.uint8)
    for x in range(1, X - 1):
        for y in range(1, Y - 1):
            anything = np.uint8(0)
            for z in range(Z):
                anything |= a[x, y, z]
            if anything:
                _edge(a, x, y, flat, edge)
                count = 0
                for z in range(Z):
                    count += edge[z]
                before[(x + REACH) * width + y + REACH + 1] = count
    return np.cumsum(before).astype(np.int32)


@compiled
def _border_listed(a: Frame, before: Ints, width: int, flat: bool) -> tuple[Ints, NDArray[np.uint64]]:
    """The border voxels and their bits; rows without any are passed over."""
    X, Y, Z = a.shape
    at = np.empty((before[-1], 3), np.int32)
    bits = np.zeros((len(before) - 1, (Z - 1) // 64 + 2), np.uint64)
    edge = np.zeros(Z, np.uint8)
    for x in range(1, X - 1):
        for y in range(1, Y - 1):
            row = (x + REACH) * width + y + REACH
            i = before[row]
            if i == before[row + 1]:
                continue
            _edge(a, x, y, flat, edge)
            for z in range(Z):
                if edge[z]:
                    at[i, 0], at[i, 1], at[i, 2] = x, y, z
                    bits[row, (z + REACH) >> 6] |= ONE << np.uint64((z + REACH) & 63)
                    i += 1
    return at, bits


@compiled
def _counted(frame: Frame) -> Ints:
    """How many elements come before each row: a corner is one if any voxel around it is inside, but not all."""
    X, Y, Z = frame.shape
    width = Y - 1 + 2 * REACH
    before = np.zeros((X - 1 + 2 * REACH) * width + 1, np.int32)
    any4, all4 = np.empty(Z, np.uint8), np.empty(Z, np.uint8)
    for x in range(X - 1):
        for y in range(Y - 1):
            for z in range(Z):
                a, b, c, d = frame[x, y, z], frame[x, y + 1, z], frame[x + 1, y, z], frame[x + 1, y + 1, z]
                any4[z], all4[z] = a | b | c | d, a & b & c & d
            count = 0
            for z in range(Z - 1):
                count += (any4[z] | any4[z + 1]) ^ (all4[z] & all4[z + 1])
            before[(x + REACH) * width + y + REACH + 1] = count
    return np.cumsum(before).astype(np.int32)


@compiled
def _listed(frame: Frame, before: Ints) -> tuple[Ints, Frame, NDArray[np.uint64]]:
    """The elements, their codes and their bits; rows without any, and eight empty or full codes, are passed over.

    The four voxels at one z give every second bit of a code, those at the next z the bits between.
    """
    X, Y, Z = frame.shape
    width = Y - 1 + 2 * REACH
    at, code = np.empty((before[-1], 3), np.int32), np.empty(before[-1], np.uint8)
    bits = np.zeros((len(before) - 1, (Z - 2) // 64 + 2), np.uint64)
    four, here = np.empty(Z, np.uint8), np.zeros((Z + 7) // 8 * 8, np.uint8)
    eight = here.view(np.uint64)
    for x in range(X - 1):
        for y in range(Y - 1):
            row = (x + REACH) * width + y + REACH
            i = before[row]
            if i == before[row + 1]:
                continue
            for z in range(Z):
                a, b, c, d = frame[x, y, z], frame[x, y + 1, z], frame[x + 1, y, z], frame[x + 1, y + 1, z]
                four[z] = (a << 6) | (b << 4) | (c << 2) | d
            for z in range(Z - 1):
                here[z] = (four[z] << 1) | four[z + 1]
            for e in range(len(eight)):
                if eight[e] == 0 or ~eight[e] == 0:
                    continue
                for z in range(8 * e, 8 * e + 8):
                    if 0 < here[z] < 255:
                        at[i, 0], at[i, 1], at[i, 2] = x, y, z
                        code[i] = here[z]
                        bits[row, (z + REACH) >> 6] |= ONE << np.uint64((z + REACH) & 63)
                        i += 1
    return at, code, bits


@compiled
def _look_around(
    points: Ints, marks: Marks, columns: Columns, steps: NDArray[np.int64], depths: NDArray[np.int8]
) -> Ints:
    """Take column after column until the next is farther away than the nearest element so far."""
    found = np.full(len(points), -1, np.int32)
    for i in range(len(points)):
        z = points[i, 2]
        row = (points[i, 0] + REACH) * marks.width + points[i, 1] + REACH
        word, shift = z >> 6, np.uint64(z & 63)
        least, best, depth = columns.limit, -1, 0
        for c in range(len(steps)):
            if columns.square[c] >= least:
                break
            two = marks.bits[row + steps[c]]
            window = ((two[word] >> shift) | ((two[word + 1] << ONE) << (LAST - shift))) & WINDOW
            if window:
                step = depths[window]
                square = columns.square[c] + columns.along[abs(step)]
                if square < least:
                    least, best, depth = square, row + steps[c], z + step
        if best >= 0:
            found[i] = marks.before[best] + _ones_below(marks.bits[best], depth + REACH)
    return found


@compiled
def _ones_below(words: NDArray[np.uint64], end: int) -> int:
    """How many of the first ``end`` bits are one."""
    count = 0
    for w in range(end >> 6):
        count += _ones(words[w])
    return count + _ones(words[end >> 6] & ((ONE << np.uint64(end & 63)) - ONE))


@compiled
def _ones(word: np.uint64) -> int:
    """How many bits are one: sums of two, of four and of eight neighbours, then all eight sums at once."""
    word -= (word >> ONE) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
