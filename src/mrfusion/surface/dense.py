"""Kernels that visit every voxel: the box, the dilation and the codes of a mask.

Each innermost loop runs along z over bytes that lie side by side and has no branch, so the compiler turns it into
vector instructions: 32 or 64 voxels at once, and a pass costs less than copying the mask.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.compiled import compiled

Frame = NDArray[np.uint8]


def extent(volume: NDArray[Any]) -> NDArray[np.int64]:
    """First and one past the last index (3, 2) of what is not 0 in a volume; all 0 where nothing is."""
    axes = sorted(range(3), key=lambda axis: -abs(volume.strides[axis]))  # the order in which it lies in memory
    volume = np.ascontiguousarray(volume.transpose(axes))
    found = np.zeros((3, 2), np.int64)
    found[axes] = _extent(volume.view(np.uint8) if volume.itemsize == 1 else (volume != 0).view(np.uint8))
    return found


@compiled
def _extent(volume: Frame) -> NDArray[np.int64]:
    """Or all rows into one row for z; a row that holds anything marks its x and its y."""
    X, Y, Z = volume.shape
    rows, columns, depths = np.zeros(X, np.uint8), np.zeros(Y, np.uint8), np.zeros(Z, np.uint8)
    for x in range(X):
        for y in range(Y):
            anything = np.uint8(0)
            for z in range(Z):
                anything |= volume[x, y, z]
            if anything:
                rows[x] = columns[y] = 1
                for z in range(Z):
                    depths[z] |= volume[x, y, z]
    found = np.zeros((3, 2), np.int64)
    for axis, line in enumerate((rows, columns, depths)):
        inside = np.flatnonzero(line)
        if len(inside):
            found[axis, 0], found[axis, 1] = inside[0], inside[-1] + 1
    return found


def dilate(frame: Frame, times: int) -> Frame:
    """The mask grown ``times`` by its 18-neighbourhood, cut at the frame."""
    for _ in range(times):
        frame = _grown(frame)
    return frame


@compiled
def _grown(a: Frame) -> Frame:
    """A voxel is inside if itself or one of the 18 that share a face or an edge with it was."""
    X, Y, Z = a.shape
    out = np.zeros_like(a)
    for x in range(1, X - 1):
        for y in range(1, Y - 1):
            for z in range(1, Z - 1):
                out[x, y, z] = (
                    (a[x, y, z - 1] | a[x, y, z] | a[x, y, z + 1])
                    | (a[x - 1, y, z - 1] | a[x - 1, y, z] | a[x - 1, y, z + 1])
                    | (a[x + 1, y, z - 1] | a[x + 1, y, z] | a[x + 1, y, z + 1])
                    | (a[x, y - 1, z - 1] | a[x, y - 1, z] | a[x, y - 1, z + 1])
                    | (a[x, y + 1, z - 1] | a[x, y + 1, z] | a[x, y + 1, z + 1])
                    | (a[x - 1, y - 1, z] | a[x - 1, y + 1, z] | a[x + 1, y - 1, z] | a[x + 1, y + 1, z])
                )
    return out


@compiled
def corners(codes: Frame) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The corners (n, 3) with voxels both inside and outside around them, in C order, and their codes (n,).

    The first pass counts each row's corners and has no branch; the second looks into rows that have some.
    """
    X, Y, Z = codes.shape
    first = np.zeros(X * Y + 1, np.int32)
    for x in range(X):
        for y in range(Y):
            count = 0
            for z in range(Z):
                count += (codes[x, y, z] != 0) & (codes[x, y, z] != 255)
            first[x * Y + y + 1] = first[x * Y + y] + count
    found, code = np.empty((first[-1], 3), np.int32), np.empty(first[-1], np.uint8)
    i = 0
    for x in range(X):
        for y in range(Y):
            if first[x * Y + y] == first[x * Y + y + 1]:
                continue
            for z in range(Z):
                if 0 < codes[x, y, z] < 255:
                    found[i, 0], found[i, 1], found[i, 2] = x, y, z
                    code[i] = codes[x, y, z]
                    i += 1
    return found, code


@compiled
def codes(frame: Frame) -> Frame:
    """The code of every block of 2x2x2 voxels, bits as in :func:`mrfusion.surface.areas.surfel_areas`.

    The four voxels at one z give every second bit, those at the next z the bits between: the first four are computed
    once and used twice.
    """
    X, Y, Z = frame.shape
    out = np.empty((X - 1, Y - 1, Z - 1), np.uint8)
    four = np.empty(Z, np.uint8)
    for x in range(X - 1):
        for y in range(Y - 1):
            for z in range(Z):
                four[z] = (
                    (frame[x, y, z] << 6)
                    | (frame[x, y + 1, z] << 4)
                    | (frame[x + 1, y, z] << 2)
                    | frame[x + 1, y + 1, z]
                )
            for z in range(Z - 1):
                out[x, y, z] = (four[z] << 1) | four[z + 1]
    return out
