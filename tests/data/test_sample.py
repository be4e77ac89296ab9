"""Draws are a pure function of seed and epoch, stay inside the case, and see small regions; cutting is copying."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mrfusion.data.sample import LoadedCase, Sampler, cut


def case_of(labels: NDArray[np.uint8], name: str = "a", slices: tuple[int, int] | None = None) -> LoadedCase:
    images = np.zeros((labels.shape[0], 1, *labels.shape[1:]), np.float32)
    return LoadedCase(name, images, labels, (True,), -1, slices or (0, len(labels)))


def blob(shape: tuple[int, int, int] = (10, 30, 40)) -> NDArray[np.uint8]:
    """Label 1 is large, label 2 a single voxel."""
    labels = np.zeros(shape, np.uint8)
    labels[2:6, 10:20, 10:20] = 1
    labels[4, 15, 12] = 2
    return labels


def sampler_of(
    cases: list[LoadedCase], size: tuple[int, int, int] = (1, 8, 8), *, per_case: int = 5, foreground: float = 0.5,
    every_slice: bool = False, seed: int = 3,
) -> Sampler:  # fmt: skip
    return Sampler(cases, size, per_case=per_case, foreground=foreground, every_slice=every_slice, seed=seed)


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    cases = [case_of(blob()), case_of(blob(), "b")]
    first = sampler_of(cases)
    epochs = [first.epoch(n) for n in range(3)]
    assert epochs[0] == first.epoch(0), "asking again changes nothing"
    assert [sampler_of(cases).epoch(n) for n in (2, 0, 1)] == [epochs[2], epochs[0], epochs[1]]
    assert epochs[0] != epochs[1]
    assert sampler_of(cases, seed=4).epoch(0) != epochs[0]


def test_every_case_gives_its_share_in_random_order() -> None:
    draws = sampler_of([case_of(blob(), str(n)) for n in range(4)], per_case=6).epoch(0)
    assert Counter(draw.case for draw in draws) == {0: 6, 1: 6, 2: 6, 3: 6}
    assert [draw.case for draw in draws] != sorted(draw.case for draw in draws)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 6), st.integers(1, 24), st.integers(1, 24)),
    st.floats(0, 1),
    st.booleans(),
)
def test_boxes_stay_inside_or_are_centred(
    shape: tuple[int, int, int], size: tuple[int, int, int], foreground: float, every_slice: bool
) -> None:
    labels = (np.random.default_rng(0).random(shape) < 0.05).astype(np.uint8)
    for draw in sampler_of([case_of(labels)], size, foreground=foreground, every_slice=every_slice).epoch(0):
        for start, length, extent in zip(draw.start, size, shape, strict=True):
            if extent >= length:
                assert 0 <= start <= extent - length
            else:
                assert start == (extent - length) // 2


def holds(draw_start: tuple[int, int, int], size: tuple[int, int, int], labels: NDArray[np.uint8], label: int) -> bool:
    box = tuple(slice(a, a + n) for a, n in zip(draw_start, size, strict=True))
    return bool((labels[box] == label).any())


def test_foreground_one_always_holds_a_label_and_each_label_as_often() -> None:
    labels = blob()
    draws = sampler_of([case_of(labels)], (1, 3, 3), per_case=400, foreground=1.0).epoch(0)
    assert all(holds(d.start, (1, 3, 3), labels, 1) or holds(d.start, (1, 3, 3), labels, 2) for d in draws)
    rare = sum(holds(d.start, (1, 3, 3), labels, 2) for d in draws)
    assert 150 < rare < 260, "one voxel of 401 is drawn half of the time"


def test_foreground_zero_ignores_labels() -> None:
    labels = np.zeros((1, 100, 100), np.uint8)
    labels[0, :3, :3] = 1
    draws = sampler_of([case_of(labels)], (1, 3, 3), per_case=400, foreground=0.0).epoch(0)
    assert sum(holds(d.start, (1, 3, 3), labels, 1) for d in draws) < 20


def test_the_share_of_foreground() -> None:
    labels = np.zeros((1, 300, 300), np.uint8)
    labels[0, 150, 150] = 1
    draws = sampler_of([case_of(labels)], (1, 5, 5), per_case=1000, foreground=0.3).epoch(0)
    assert 240 < sum(holds(d.start, (1, 5, 5), labels, 1) for d in draws) < 360


def test_the_labelled_voxel_stands_anywhere_in_the_box() -> None:
    labels = np.zeros((9, 30, 30), np.uint8)
    labels[4, 15, 15] = 1
    draws = sampler_of([case_of(labels)], (3, 4, 4), per_case=500, foreground=1.0).epoch(0)
    offsets = {tuple(np.subtract((4, 15, 15), d.start).tolist()) for d in draws}
    assert offsets == {(s, h, w) for s in range(3) for h in range(4) for w in range(4)}


def test_every_slice_is_drawn_once() -> None:
    case = case_of(blob(), slices=(3, 8))
    draws = sampler_of([case, case], every_slice=True).epoch(0)
    for index in (0, 1):
        assert sorted(d.start[0] for d in draws if d.case == index) == [3, 4, 5, 6, 7]


def test_only_slices_of_the_range_are_asked_for() -> None:
    labels = blob()
    for foreground in (0.0, 1.0):
        draws = sampler_of([case_of(labels, slices=(4, 7))], per_case=100, foreground=foreground).epoch(0)
        assert {d.start[0] for d in draws} <= {4, 5, 6}


def test_a_case_without_labels_is_drawn_from_anywhere() -> None:
    draws = sampler_of([case_of(np.zeros((10, 30, 40), np.uint8))], foreground=1.0, per_case=50).epoch(0)
    assert len({d.start for d in draws}) > 40


def slow_cut(array: NDArray[np.int64], start: tuple[int, int, int], size: tuple[int, int, int]) -> NDArray[np.int64]:
    """Voxel by voxel, zero outside; the second axis whole."""
    into = np.zeros((size[0], array.shape[1], size[1], size[2]), array.dtype)
    for s in range(size[0]):
        for h in range(size[1]):
            for w in range(size[2]):
                place = (start[0] + s, start[1] + h, start[2] + w)
                if all(0 <= p < n for p, n in zip(place, (array.shape[0], *array.shape[2:]), strict=True)):
                    into[s, :, h, w] = array[place[0], :, place[1], place[2]]
    return into


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 6)] * 3), st.tuples(*[st.integers(1, 8)] * 3), st.tuples(*[st.integers(-9, 9)] * 3))
def test_cut_is_a_slow_copy(
    shape: tuple[int, int, int], size: tuple[int, int, int], start: tuple[int, int, int]
) -> None:
    array = np.arange(1, 1 + 2 * int(np.prod(shape))).reshape(shape[0], 2, *shape[1:])
    into = np.zeros((size[0], 2, *size[1:]), array.dtype)
    cut(array, start, size, into)
    assert np.array_equal(into, slow_cut(array, start, size))
    flat = np.zeros(size, array.dtype)
    cut(array[:, 0], start, size, flat)
    assert np.array_equal(flat, into[:, 0])


def test_what_a_sampler_remembers_is_small() -> None:
    labels = np.ones((8, 100, 100), np.uint8)
    (group,) = sampler_of([case_of(labels)]).voxels[0]
    assert len(group) <= 2000
    assert group[:, 0].min() == 0
    assert group[:, 0].max() == 7, "evenly taken over the whole label"


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_cut_converts(dtype: type) -> None:
    into = np.zeros((1, 2, 2), np.float32)
    cut(np.ones((1, 2, 2), dtype), (0, 0, 0), (1, 2, 2), into)
    assert into.tolist() == [[[1.0, 1.0], [1.0, 1.0]]]


@pytest.mark.parametrize("size", [(1, 8, 8), (4, 9, 8)])
def test_centred_boxes_hold_their_voxel_in_the_middle(size: tuple[int, int, int]) -> None:
    """As nnU-Net's: the box is only moved where it would leave the case."""
    labels = np.zeros((10, 30, 40), np.uint8)
    labels[5, 15, 12] = 1
    labels[0, 29, 39] = 2
    sampler = Sampler([case_of(labels)], size, per_case=60, foreground=1.0, every_slice=False, seed=1, centred=True)
    middle = tuple(at - n // 2 for at, n in zip((5, 15, 12), size, strict=True))
    corner = (0, 30 - size[1], 40 - size[2])
    assert {draw.start for draw in sampler.epoch(0)} == {middle, corner}
    third = Sampler([case_of(labels)], size, per_case=900, foreground=0.33, every_slice=False, seed=1, centred=True)
    share = np.mean([draw.start in (middle, corner) for draw in third.epoch(0)])
    assert 0.28 < share < 0.42
