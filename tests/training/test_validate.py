"""The score that chooses the best epoch: where most cases lack a region, predicting nothing must not win."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion.data.sample import LoadedCase
from mrfusion.losses._base import Output
from mrfusion.run_folder.quantity import SCORE
from mrfusion.run_folder.run import RunFolder
from mrfusion.training.assemble import Parts, make_training
from mrfusion.training.validate import telling_places
from tiny import cohort_of, cpu, run_spec, silent

WHOLE, CORE, WIDE_CORE = (slice(4, 10),) * 2, (slice(5, 8),) * 2, (slice(4, 8),) * 2


class Says(nn.Module):
    """A network that draws the same two squares, or nothing for None, whatever it sees."""

    def __init__(self, *squares: tuple[slice, slice] | None) -> None:
        super().__init__()
        self.logits = torch.full((len(squares), 16, 16), -9.0)
        for logits, square in zip(self.logits, squares, strict=True):
            if square is not None:
                logits[square] = 9.0

    def forward(self, images: Tensor, present: Tensor) -> Output:
        return Output(self.logits.expand(len(images), -1, -1, -1))


def cases_with_core(with_core: int, count: int = 4) -> list[LoadedCase]:
    """Cases of one slice; all have the whole, the first few its core."""
    labels = np.zeros((count, 1, 16, 16), np.uint8)
    labels[:, 0, *WHOLE] = 1
    labels[:with_core, 0, *CORE] = 2
    images = np.zeros((1, 2, 16, 16), np.float32)
    return [LoadedCase(f"case{n}", images, each, (True, True), 0, (0, 1)) for n, each in enumerate(labels)]


def score(network: nn.Module, cases: list[LoadedCase], folder: Path) -> float:
    training = make_training(
        run_spec(),
        cohort_of(cases),
        Parts(cases, cases, (1, 16, 16)),
        fabric=cpu(),
        folder=RunFolder(folder),
        progress=silent,
    )
    return training.validate(network)[SCORE]


def test_the_score_is_the_mean_over_regions_of_the_dice_of_all_samples_together(tmp_path: Path) -> None:
    cases = cases_with_core(2)
    assert score(Says(WHOLE, CORE), cases, tmp_path) == pytest.approx((1 + 2 * 2 * 9 / (4 * 9 + 2 * 9)) / 2)
    assert score(Says(WHOLE, WIDE_CORE), cases, tmp_path) == pytest.approx((1 + 2 * 2 * 9 / (4 * 16 + 2 * 9)) / 2)


def test_predicting_nothing_does_not_win_where_most_cases_lack_the_region(tmp_path: Path) -> None:
    cases = cases_with_core(1)
    nothing, something = (score(Says(WHOLE, core), cases, tmp_path) for core in (None, CORE))
    assert nothing == pytest.approx(0.5)
    assert something > nothing  # a mean over cases would say 0.875 and 0.625


def test_a_region_that_no_case_has_does_not_count(tmp_path: Path) -> None:
    cases = cases_with_core(0)
    assert score(Says(WHOLE, CORE), cases, tmp_path) == score(Says(WHOLE, None), cases, tmp_path) == 1


@pytest.mark.parametrize(
    ("slices", "thickness", "count", "expected"),
    [
        ((0, 10), 1, 100, list(range(10))),
        ((2, 5), 1, 100, [2, 3, 4]),
        ((0, 10), 1, 1, [4]),
        ((0, 4), 4, 3, [0]),
        ((0, 3), 5, 3, [0]),
    ],
)
def test_boxes_lie_evenly_along_the_slices(
    slices: tuple[int, int], thickness: int, count: int, expected: list[int]
) -> None:
    labels = np.zeros((10, 20, 30), np.uint8)
    case = LoadedCase("a", np.zeros((10, 1, 20, 30), np.float32), labels, (True,), -1, slices)
    places = telling_places(case, (thickness, 8, 10), count)
    assert [s for s, _, _ in places] == expected
    assert {(row, column) for _, row, column in places} == {(6, 10)}


def test_a_box_lies_where_the_labels_of_its_slices_are() -> None:
    labels = np.zeros((4, 40, 40), np.uint8)
    labels[0, 2:5, 30:37] = 1
    labels[1:3, 20:24, 1:4] = 1
    case = LoadedCase("a", np.zeros((4, 1, 40, 40), np.float32), labels, (True,), -1, (0, 4))
    found = telling_places(case, (1, 16, 16), 4)
    assert found == [(0, 0, 24), (1, 13, 0), (2, 13, 0), (3, 12, 12)]
    whole = telling_places(case, (1, 48, 40), 4)
    assert whole == [(n, -4, 0) for n in range(4)], "a box of whole slices stays where it was"


def test_every_label_is_held_by_some_box() -> None:
    """As in a case of BraTS: a small enhancing part that lies outside of every evenly placed patch."""
    labels = np.zeros((40, 64, 64), np.uint8)
    labels[5:30, 8:40, 8:40] = 2
    labels[34:36, 60:63, 58:61] = 3
    case = LoadedCase("a", np.zeros((40, 1, 64, 64), np.float32), labels, (True,), -1, (0, 40))
    for size, count in (((24, 24, 24), 1), ((24, 24, 24), 10), ((1, 24, 24), 3)):
        boxes = [labels[s : s + size[0], r : r + size[1], c : c + size[2]]
                 for s, r, c in telling_places(case, size, count)]  # fmt: skip
        assert all(box.shape == size for box in boxes)
        assert {int(label) for box in boxes for label in np.unique(box)} == {0, 2, 3}


def test_boxes_stay_in_the_range_of_slices() -> None:
    labels = np.zeros((10, 16, 16), np.uint8)
    labels[7:, 3, 3] = 1
    labels[4, 8, 8] = 2
    case = LoadedCase("a", np.zeros((10, 1, 16, 16), np.float32), labels, (True,), -1, (2, 6))
    assert [s for s, _, _ in telling_places(case, (2, 8, 8), 1)] == [3]
    assert all(2 <= s <= 4 for s, _, _ in telling_places(case, (2, 8, 8), 4))
