"""Components without a volume of labels: a mask is its runs, stretches of voxels along z, and a run has a label.

A tumour of 100 000 voxels is about 7 000 runs. They are found in two passes over the mask; everything after that
(components, sizes, which label meets which) walks along runs, a row of one list beside a row of another.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.compiled import compiled
from mrfusion.surface.counting import grouped_sum

Frame = NDArray[np.uint8]
Ints = NDArray[np.int32]
LOWEST = np.array([0, *((code & -code).bit_length() - 1 for code in range(1, 256))], np.uint8)  # bit of a code


class Runs(NamedTuple):
    """Runs in C order: those of row r = x * width + y are first[r] .. first[r+1], each z = start .. stop - 1."""

    width: int
    first: Ints
    start: Ints
    stop: Ints
    label: Ints


def label(frame: Frame) -> Runs:
    """The 26-connected components, numbered from 1 in the order of their first voxels."""
    first = _first(frame)
    start, stop = _ends(frame, first)
    width = frame.shape[1]
    return Runs(width, first, start, stop, _components(first, start, stop, width))


def restrict(labels: Runs, frame: Frame) -> Runs:
    """The labels where the frame is inside, which is a part of where the labels are."""
    first = _first(frame)
    start, stop = _ends(frame, first)
    row = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
    return Runs(labels.width, first, start, stop, _looked_up(labels.first, labels.stop, labels.label, row, start))


def sizes(labels: Runs) -> NDArray[np.int64]:
    """Voxels of each label; entry 0 is 0."""
    return np.bincount(labels.label, weights=labels.stop - labels.start, minlength=1).astype(np.int64)


def owners(labels: Runs, corners: Ints, code: Frame) -> Ints:
    """Whose surface passes each corner (n, 3): the label of one inside voxel of its block, which never holds two."""
    row, z = _inside(corners, LOWEST.take(code), labels.width)
    return _looked_up(labels.first, labels.stop, labels.label, row, z)


def overlaps(one: Runs, other: Runs) -> NDArray[np.int64]:
    """Rows (label in one, label in other, common voxels), ascending, where both are inside."""
    mine, theirs, voxels = _meetings(
        (one.first, one.start, one.stop, one.label), (other.first, other.start, other.stop, other.label)
    )
    return grouped_sum(mine, theirs, voxels)


@compiled
def _first(frame: Frame) -> Ints:
    """Where each row's runs begin in the list. A row has half as many runs as there are changes along it."""
    X, Y, Z = frame.shape
    first = np.zeros(X * Y + 1, np.int32)
    for x in range(X):
        for y in range(Y):
            changes = 0
            for z in range(1, Z):
                changes += frame[x, y, z] != frame[x, y, z - 1]
            first[x * Y + y + 1] = first[x * Y + y] + changes // 2
    return first


@compiled
def _ends(frame: Frame, first: Ints) -> tuple[Ints, Ints]:
    """Where each run starts and stops; rows without runs, and eight voxels without a change, are passed over."""
    X, Y, Z = frame.shape
    start, stop = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    change = np.zeros((Z + 7) // 8 * 8, np.uint8)
    eight = change.view(np.uint64)
    run = 0
    for x in range(X):
        for y in range(Y):
            if first[x * Y + y] == first[x * Y + y + 1]:
                continue
            for z in range(1, Z):
                change[z] = frame[x, y, z] ^ frame[x, y, z - 1]
            for e in range(len(eight)):
                if eight[e] == 0:
                    continue
                for z in range(8 * e, 8 * e + 8):
                    if change[z] and frame[x, y, z]:
                        start[run] = z
                    elif change[z]:
                        stop[run] = z
                        run += 1
    return start, stop


@compiled
def _components(first: Ints, start: Ints, stop: Ints, width: int) -> Ints:
    """Join each run with those it touches in the four rows before it (26-neighbourhood), then number the roots.

    ``parent`` is a forest: a run's root is its component's first run, because a root always joins an earlier one.
    """
    parent = np.arange(first[-1]).astype(np.int32)
    for row in range(width + 1, len(first) - 1):
        if first[row] == first[row + 1]:
            continue
        for before in (row - width - 1, row - width, row - width + 1, row - 1):
            other = first[before]
            for run in range(first[row], first[row + 1]):
                while other < first[before + 1] and stop[other] < start[run]:
                    other += 1
                there = other
                while there < first[before + 1] and start[there] <= stop[run]:
                    a, b = _root(parent, run), _root(parent, there)
                    parent[max(a, b)] = min(a, b)
                    there += 1
    label = np.empty(len(parent), np.int32)
    count = 0
    for run in range(len(parent)):
        if parent[run] == run:
            count += 1
            label[run] = count
        else:
            label[run] = label[_root(parent, run)]
    return label


@compiled
def _root(parent: Ints, run: int) -> int:
    """The first run of a run's component; on the way every second run is hung onto its grandparent."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _inside(corners: Ints, bit: NDArray[np.uint8], width: int) -> tuple[Ints, Ints]:
    """Row and z of the voxel of each corner's block that one bit of its code stands for."""
    row, depth = np.empty(len(corners), np.int32), np.empty(len(corners), np.int32)
    for i in range(len(corners)):
        x, y, z = corners[i, 0], corners[i, 1], corners[i, 2]
        row[i] = (x + 1 - (bit[i] >> 2)) * width + y + 1 - (bit[i] >> 1 & 1)
        depth[i] = z + 1 - (bit[i] & 1)
    return row, depth


@compiled
def _looked_up(first: Ints, stop: Ints, label: Ints, row: Ints, z: Ints) -> Ints:
    """The label of the run that holds (row, z): the first one of the row that stops behind z."""
    found = np.empty(len(row), np.int32)
    for i in range(len(row)):
        run = first[row[i]]
        while stop[run] <= z[i]:
            run += 1
        found[i] = label[run]
    return found


@compiled
def _meetings(one: tuple[Ints, ...], other: tuple[Ints, ...]) -> tuple[Ints, Ints, NDArray[np.int64]]:
    """Every two runs with common voxels: their labels and how many. Of two runs, the one that stops first is passed."""
    first_a, start_a, stop_a, label_a = one
    first_b, start_b, stop_b, label_b = other
    most = len(label_a) + len(label_b)
    mine, theirs, voxels = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int64)
    count = 0
    for row in range(len(first_a) - 1):
        a, b = first_a[row], first_b[row]
        while a < first_a[row + 1] and b < first_b[row + 1]:
            common = min(stop_a[a], stop_b[b]) - max(start_a[a], start_b[b])
            if common > 0:
                mine[count], theirs[count], voxels[count] = label_a[a], label_b[b], common
                count += 1
            if stop_a[a] < stop_b[b]:
                a += 1
            else:
                b += 1
    return mine[:count], theirs[:count], voxels[:count]
