"""Outlines and numbers in words, against hand-made references."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion.errors import InputError
from mrfusion.report.metric import metric_named
from mrfusion.report.overlay import data_uri, outline
from mrfusion.report.scale import scale_of
from mrfusion.report.wording import count, duration, number, ratio, several
from mrfusion.run_folder.pictures import read_slice


def polygons(path: str) -> list[np.ndarray]:
    """The loops of a path as corner lists, in pixels."""
    loops = []
    for start, steps in re.findall(r"M(\d+ \d+)l([-\d ]*)z", path):
        moves = np.array(steps.split(), dtype=int).reshape(-1, 2)
        loops.append(np.cumsum(np.vstack([np.array(start.split(), dtype=int), moves]), axis=0) / 2)
    return loops


def area(loop: np.ndarray) -> float:
    """The shoelace formula; clockwise on the screen (y down) is positive."""
    x, y = loop.T
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def test_a_square_loses_its_corners_only():
    mask = np.zeros((10, 12), np.uint8)
    mask[3:7, 4:9] = 1
    (loop,) = polygons(outline(mask))
    assert area(loop) == 4 * 5 - 4 * 0.125
    assert loop.min(axis=0).tolist() == [4, 3]
    assert loop.max(axis=0).tolist() == [9, 7]


def test_a_hole_runs_the_other_way():
    mask = np.ones((9, 9), np.uint8)
    mask[4, 4] = 0
    outer, inner = sorted(polygons(outline(mask)), key=area, reverse=True)
    assert (area(outer), area(inner)) == (81 - 0.5, -0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**25 - 1))
def test_the_loops_enclose_the_mask(bits):
    mask = np.array([bits >> k & 1 for k in range(25)], np.uint8).reshape(5, 5)
    loops = polygons(outline(mask))
    padded = np.pad(mask, 1)
    blocks = padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]
    diagonal = (blocks == 2) & (padded[:-1, :-1] == padded[1:, 1:])
    cut = 0.125 * (np.sum(blocks == 1) - np.sum(blocks == 3))
    # where two pixels touch by a corner, the loop may pass either way: a quarter of a pixel at most
    assert sum(map(area, loops)) == pytest.approx(mask.sum() - cut, abs=0.25 * diagonal.sum() + 1e-9)


def test_an_empty_mask_has_no_outline():
    assert outline(np.zeros((4, 4), np.uint8)) == ""


def test_images_are_small_and_inline():
    uri = data_uri(np.zeros((1000, 900), np.uint8))
    assert uri.startswith("data:image/webp;base64,")
    assert len(uri) < 5000


def test_a_slice_of_another_form_is_named(tmp_path):
    np.savez(tmp_path / "0.npz", case="x")
    with pytest.raises(InputError, match=r"0\.npz"):
        read_slice(tmp_path / "0.npz")


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(3.21, "3.2 s"), (62, "62 s"), (153, "2 min 33 s"), (180, "3 min"), (3600, "1 h"), (4320, "1 h 12 min")],
)
def test_durations(seconds, says):
    assert duration(seconds) == says


def test_words():
    assert [count(n) for n in (812, 1200, 482_113, 1_204_391, 999_999)] == ["812", "1.2 k", "482 k", "1.2 M", "1 M"]
    assert [ratio(1.0, 1.002), ratio(2.5, 1.0), ratio(1.0, 0.0)] == ["equal", "2.50×", "–"]
    assert [several(1, "seed"), several(2, "seed")] == ["1 seed", "2 seeds"]
    assert number(True) != number(True)
    assert number("12") != 12


def test_metrics_say_themselves_how_to_be_read():
    dice, volume, theirs = (metric_named(name) for name in ("dice", "target_volume_mm3", "not_here"))
    assert (dice.text(0.8236), dice.difference(-0.0192), dice.difference(0.0001)) == ("82.4", "−1.9", "±0.0")
    assert dice.range(float("nan"), float("nan")) == "–"
    assert (dice.ranks, volume.ranks, theirs.ranks) == (True, False, False)


def test_ticks_are_round_and_inside():
    line = scale_of([0.62, 0.91])
    assert line.ticks == [0.65, 0.7, 0.75, 0.8, 0.85, 0.9] or line.ticks == [0.7, 0.8, 0.9]
    assert all(0 <= line.place(tick) <= 100 for tick in line.ticks)
    assert scale_of([0.5, 0.5]).place(0.5) == pytest.approx(50)
