"""The kernels and the libraries are one interface with one result; without numba the latter serve."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from mrfusion.surface import kernels, libraries
from mrfusion.surface.compiled import KEPT
from mrfusion.surface.engine import engine as used


def frame(seed, density, shape=(17, 15, 33)):
    rng = np.random.default_rng(seed)
    full = np.zeros(shape, np.uint8)
    full[1:-1, 1:-1, 1:-1] = rng.random([n - 2 for n in shape]) < density
    return full


FRAMES = [frame(0, 0.02), frame(1, 0.3), frame(2, 0.9), frame(3, 1.0), frame(4, 0.1, (3, 30, 31))]


@pytest.mark.parametrize("mask", FRAMES)
def test_dense_operations_agree(mask):
    for times in (0, 1, 3):
        assert np.array_equal(kernels.dilate(mask.copy(), times), libraries.dilate(mask.copy(), times))
    for ours, theirs in zip(kernels.corners(mask)[:2], libraries.corners(mask)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("mask", FRAMES)
@pytest.mark.parametrize("flat", [False, True])
def test_borders_agree_and_their_marks_find_them(mask, flat):
    if flat:
        mask = np.pad(mask[2:3], ((1, 1), (0, 0), (0, 0)))
    at, marks = kernels.borders(mask, flat=flat)
    assert np.array_equal(at, libraries.borders(mask, flat=flat)[0])
    assert np.array_equal(kernels.look_around(at, marks, (1.0, 1.0, 1.0)), np.arange(len(at)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_two_masks_in_one_frame(order):
    one, other = (np.asarray(mask[1:-1, 1:-1, 1:-1], order=order) for mask in FRAMES[1:3])
    inside = np.arange(256) == 7
    packed = kernels.packed(one * 7, other * 5 + 2, inside.view(np.uint8))
    assert np.array_equal(packed & 1, FRAMES[1])
    assert np.array_equal(packed >> 1, FRAMES[2])
    assert np.array_equal(packed, libraries.packed(one * 7, other * 5 + 2, inside.view(np.uint8)))
    counts = (one.sum(), other.sum(), (one & other).sum())
    assert tuple(kernels.counted(packed)) == libraries.counted(packed) == counts


@pytest.mark.parametrize("mask", FRAMES)
def test_components_agree_in_number_order_and_size(mask):
    grown = libraries.dilate(mask.copy(), 1)
    corners, code, _ = libraries.corners(mask)
    found = []
    for engine in (kernels, libraries):
        parts, wide = engine.label(mask), engine.label(grown)
        small = engine.restrict(wide, mask)
        found.append(
            [
                engine.sizes(parts),
                engine.sizes(small),
                engine.overlaps(wide, parts),
                engine.overlaps(small, parts),
                engine.owners(parts, corners, code),
                engine.owners(small, corners, code),
            ]
        )
    for ours, theirs in zip(*found, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.5, 2.0, 6.0)])
@pytest.mark.parametrize(("seed", "density"), [(0, 0.5), (1, 0.0005)])
def test_the_nearest_is_as_near(spacing_mm, seed, density):
    here, there = frame(seed, 0.1, (20, 40, 60)), frame(seed + 9, density, (20, 40, 60))
    there[3, 4, 5] = 1
    (points, *_), (others, _, marks) = (kernels.corners(mask) for mask in (here, there))
    owner = np.arange(len(others)).astype(np.int32) % 3
    index, known = kernels.index(others, owner, spacing_mm), (others, owner)
    for owners in (None, np.array([1, 2])):
        ours = kernels.nearest(points, index, spacing_mm, owners)
        theirs = libraries.nearest(points, known, spacing_mm, owners)
        assert owners is None or np.isin(owner[ours], owners).all()
        distances = [e.apart(points, others, p, spacing_mm) for e, p in ((kernels, ours), (libraries, theirs))]
        np.testing.assert_allclose(distances[0], distances[1], rtol=1e-14, atol=0)
    close = kernels.look_around(points, marks, spacing_mm)
    hit = np.flatnonzero(close >= 0)
    assert len(hit) > (0.9 if density == 0.5 else 0) * len(points)
    theirs = libraries.nearest(points, known, spacing_mm)
    distances = [kernels.apart(points, others, partner, spacing_mm) for partner in (close, theirs)]
    assert np.allclose(distances[0][hit], distances[1][hit], rtol=1e-14, atol=0)
    assert (np.delete(distances[1], hit) >= 8 * min(spacing_mm)).all()


def test_rows_longer_than_a_word_are_looked_through():
    mask = np.zeros((3, 3, 300), np.uint8)
    mask[1, 1, [1, 56, 57, 64, 120, 127, 128, 191, 200, 256, 298]] = 1
    at, _, marks = kernels.corners(mask)
    found = kernels.look_around(at, marks, (1.0, 1.0, 1.0))
    assert found.tolist() == list(range(len(at)))
    moved = np.stack([at[:, 0], at[:, 1], np.arange(len(at)) * 7 % 299], axis=1).astype(np.int32)
    theirs = libraries.nearest(moved, (at, np.zeros(len(at), np.int32)), (1.0, 1.0, 1.0))
    ours, near = (
        kernels.look_around(moved, marks, (1.0, 1.0, 1.0)),
        libraries.apart(moved, at, theirs, (1.0, 1.0, 1.0)),
    )
    assert np.array_equal(ours >= 0, near < 8)
    assert np.array_equal(kernels.apart(moved, at, ours, (1.0, 1.0, 1.0))[near < 8], near[near < 8])


def test_grouping_agrees():
    owner = np.random.default_rng(0).integers(1, 9, 500).astype(np.int32)
    for ours, theirs in zip(kernels.grouped(owner), libraries.grouped(owner), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_tallies_agree(count):
    rng = np.random.default_rng(count)
    distance, rank = np.sqrt(rng.integers(0, 30, count)), rng.integers(0, 5, count).astype(np.uint8)
    ours, theirs = (
        sorted(zip(*(column.tolist() for column in engine.tally(distance, rank)), strict=True))
        for engine in (kernels, libraries)
    )
    assert ours == theirs
    assert sum(times for _, _, times in ours) == count


def test_extent_of_any_order_and_type():
    volume = np.zeros((9, 8, 7))
    assert not kernels.extent(volume).any()
    volume[2:5, 3, 6] = 2.5
    expected = [[2, 5], [3, 4], [6, 7]]
    for array in (volume, np.asfortranarray(volume), volume > 0, volume.astype(np.int16)):
        assert kernels.extent(array).tolist() == libraries.extent(array).tolist() == expected


WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from mrfusion.surface.engine import engine
    assert not said  # nothing was asked for yet
    engine.NAME
print(engine.NAME, *[str(w.message) for w in said if "numba" in str(w.message)], sep="|")
"""


def test_without_numba_the_slower_path_is_taken_and_said():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=True)
    name, message = done.stdout.strip().split("|")
    assert name == "libraries"
    assert "pip install numba" in message


def test_the_command_line_says_so_in_one_line(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "case.nii.gz")
    run = "import sys; sys.modules['numba'] = None; from mrfusion.cli import main; main()"
    command = [sys.executable, "-c", run, "evaluate", str(tmp_path), str(tmp_path), "--out", str(tmp_path / "out")]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    assert [line[:26] for line in said.splitlines() if "numba" in line] == ["note: numba cannot be used"]


def test_the_kernels_are_what_is_used_and_are_kept_on_disk():
    assert used.chosen is kernels
    assert libraries.ready()
    kernels.tally(np.ones(2), np.zeros(2, np.uint8))
    assert kernels.ready() or not KEPT
    assert set(kernels.__all__) == {n for n in dir(libraries) if n in kernels.__all__}
