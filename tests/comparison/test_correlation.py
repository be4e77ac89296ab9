"""Rank correlation over patients: scipy's where there is one run, and never across runs."""

import math

import numpy as np
import pytest
from scipy import stats

from mrfusion.comparison.correlation import Correlation, Point, rank_correlation


def one_run(x: list[float], y: list[float], *, fold: int = 0, seed: int = 0) -> list[Point]:
    return [Point(fold, seed, f"patient {fold} {i}", *pair) for i, pair in enumerate(zip(x, y, strict=True))]


@pytest.mark.parametrize("ties", [False, True])
def test_of_one_run_it_is_spearman_s(ties: bool) -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=30).round(0 if ties else 9)
    y = 0.6 * x + random.normal(size=30)
    found, expected = rank_correlation(one_run(x.tolist(), y.tolist())), stats.spearmanr(x, y)
    assert found.rho == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, abs=0.01)
    assert found.low < found.rho < found.high
    assert (found.patients, found.runs, found.shown) == (30, 1, True)


def test_energies_of_two_networks_are_not_compared() -> None:
    """Within each fold energy and score go together; across folds, whose scales differ, they would go apart."""
    first = one_run([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], fold=0)
    second = one_run([101, 102, 103, 104, 105], [-5, -4, -3, -2, -1], fold=1)
    found = rank_correlation(first + second)
    assert (found.rho, found.low, found.high) == (1, 1, 1)
    assert found.p < 0.001
    assert stats.spearmanr([p.x for p in first + second], [p.y for p in first + second]).statistic < 0


def test_seeds_are_averaged_and_cases_of_a_patient_are_one() -> None:
    ordered, turned = [1.0, 2, 3, 4, 5], [5.0, 4, 3, 2, 1]
    both = one_run(ordered, ordered, seed=0) + one_run(turned, ordered, seed=1)
    assert math.isnan(rank_correlation(both).rho), "the mean ranks of all patients are the same"
    twice = [Point(0, 0, p.patient, p.x + d, p.y - d) for p in one_run(ordered, ordered) for d in (-0.5, 0.5)]
    assert rank_correlation(twice) == rank_correlation(one_run(ordered, ordered))


def test_too_few_patients_or_nothing_that_varies_say_nothing() -> None:
    for points in ([], one_run([1, 2, 3], [1, 2, 3]), one_run([1.0] * 9, list(range(9))),
                   one_run([math.nan, 1, 2, 3], [1, 2, 3, 4])):  # fmt: skip
        found = rank_correlation(points)
        assert math.isnan(found.rho)
        assert not found.shown


def test_chance_is_rarely_called_a_correlation() -> None:
    random = np.random.default_rng(0)
    found = [rank_correlation(one_run(random.normal(size=8).tolist(), random.normal(size=8).tolist()))
             for _ in range(60)]  # fmt: skip
    assert sum(one.shown for one in found) <= 7
    assert isinstance(found[0], Correlation)
