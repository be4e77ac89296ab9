"""The score that chooses the best epoch: where most cases lack a region, predicting nothing must not win."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion.data.sample import LoadedCase
from mrfusion.losses._base import Output
from mrfusion.training.assemble import Parts, make_training
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
        run_spec(), cohort_of(cases), Parts(cases, cases, (1, 16, 16)), fabric=cpu(), folder=folder, progress=silent
    )
    return training.validate(network)["val/score"]


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
