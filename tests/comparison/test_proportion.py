"""Exact statements on shares, against statsmodels and scipy."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as theirs
from statsmodels.stats.proportion import proportion_confint

from mrfusion.comparison.aggregate import arm_means
from mrfusion.comparison.compare import compare
from mrfusion.comparison.proportion import clopper_pearson, mcnemar
from mrfusion.result import ScoreRow


@pytest.mark.parametrize(("right", "count"), [(0, 12), (7, 12), (12, 12), (1, 3)])
def test_clopper_pearson_is_that_of_statsmodels(right, count):
    found = clopper_pearson([1.0] * right + [0.0] * (count - right))
    assert found == pytest.approx(proportion_confint(right, count, method="beta"))


def test_shares_of_runs_are_covered():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        low, high = clopper_pearson((rng.random((12, 3)) < 0.8).mean(axis=1))
        held += low <= 0.8 <= high
    assert held >= 1900
    assert all(math.isnan(end) for end in clopper_pearson([]))


def test_mcnemar_is_that_of_statsmodels():
    differences = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 20)
    assert mcnemar(differences) == pytest.approx(theirs([[10, 9], [2, 10]], exact=True).pvalue)
    assert mcnemar(np.zeros(5)) == 1.0


@pytest.mark.parametrize("count", [1, 2, 7, 30, 101])
def test_mcnemar_is_the_exact_test_of_a_fair_coin(count):
    for better in range(count + 1):
        differences = np.array([1.0] * better + [-1.0] * (count - better))
        assert mcnemar(differences) == pytest.approx(stats.binomtest(better, count).pvalue, rel=1e-14)


def rows(right, other, *, folds=5):
    return [ScoreRow(arm, p % folds, 0, f"p{p}", f"p{p}", "*", "correct", float(value))
            for arm, values in (("ref", right), ("a", other)) for p, value in enumerate(values)]  # fmt: skip


def test_an_accuracy_of_one_is_not_certain():
    mean = next(m for m in arm_means(rows([1] * 12, [1] * 12)) if m.arm == "a")
    assert (mean.mean, mean.high) == (1.0, 1.0)
    assert mean.low == pytest.approx(stats.beta.ppf(0.025, 12, 1))


def test_both_networks_at_chance_alike_are_not_equivalent():
    """Twelve patients, both arms the same class for all: "equivalent, 0.0 (0.0 to 0.0)" before."""
    (found,) = compare(rows([1, 0] * 6, [1, 0] * 6), "ref")
    assert found.verdict == "undecided"
    assert "ties" in found.reasons[0]


def test_accuracy_needs_mcnemars_agreement():
    (found,) = compare(rows([0] * 30, [1, 1, 1, 1, 1, 1] + [0] * 24), "ref")
    assert found.p >= mcnemar(np.array([1.0] * 6))
