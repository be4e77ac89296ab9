"""Ranks, effect sizes and Holm against scipy, statsmodels and arithmetic by hand."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mrfusion.comparison.stats import holm, over_folds, rank_biserial, ranks


@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_scipys_to_the_bit(seed):
    values = np.random.default_rng(seed).integers(-4, 5, 31) / 7
    assert np.array_equal(ranks(values), stats.rankdata(values))
    assert ranks(np.zeros(0)).tolist() == []


def test_effect_sizes_by_hand():
    differences = np.array([1.0, 2.0, -3.0, 4.0])
    assert rank_biserial(differences) == pytest.approx((1 + 2 - 3 + 4) / 10)
    assert rank_biserial(np.zeros(3)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels(seed):
    values = np.random.default_rng(seed).beta(0.4, 2, 12)
    assert holm(list(values)) == pytest.approx(multipletests(values, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested():
    assert holm([0.03, math.nan, 0.01])[::2] == pytest.approx([0.03, 0.02])
    assert math.isnan(holm([math.nan])[0])


def test_the_interval_over_folds_is_scipys():
    values = [0.69, 0.74, 0.85, 0.83, 0.72]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert over_folds(values) == pytest.approx(expected)
    assert all(math.isnan(end) for end in over_folds(values[:2]))
