"""Wilcoxon's signed-rank test against scipy and enumeration by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from mrfusion.comparison.signed_rank import EXACT_UP_TO, signed_rank


def enumerated(differences: np.ndarray) -> float:
    """The two-sided p by trying all signs (Pratt's ranks)."""
    ranks = stats.rankdata(np.abs(differences))[differences != 0]
    seen = ranks[differences[differences != 0] > 0].sum()
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(ranks))]
    low, high = np.mean([s <= seen + 1e-9 for s in sums]), np.mean([s >= seen - 1e-9 for s in sums])
    return min(1.0, 2 * min(low, high))


@pytest.mark.parametrize("count", [1, 2, 5, 6, 10, 30, 50])
def test_without_ties_it_is_scipys_exact_test(count):
    differences = np.random.default_rng(count).normal(0.3, 1, count)
    assert signed_rank(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_with_ties_and_zeros_it_is_the_enumeration(seed):
    differences = np.random.default_rng(seed).integers(-2, 4, 9).astype(float)
    assert signed_rank(differences) == pytest.approx(enumerated(differences), rel=1e-9)


def test_beyond_the_exact_test_it_is_close_to_it():
    differences = np.random.default_rng(5).normal(0.15, 1, EXACT_UP_TO + 1)
    assert signed_rank(differences) == pytest.approx(signed_rank(differences[:-1]), abs=0.05)
    assert signed_rank(differences) == stats.wilcoxon(differences, zero_method="pratt").pvalue


def test_what_cannot_be_tested_is_not_significant():
    assert signed_rank(np.zeros(12)) == 1.0
    assert signed_rank(np.array([0.4])) == 1.0
    assert signed_rank(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 2**5)
