"""The interval: against scipy's studentised draws and variances, its shape under changes, and its coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from mrfusion.comparison.bootstrap import FEW, Differences, interval, spread, standard_error, student_p


def made(patients=40, seeds=3, folds=5, *, effect=0.5, run=0.0, noise=0.5, seed=0):
    """Differences with known variances: patients 1, runs and noise as said."""
    rng = np.random.default_rng(seed)
    place = np.arange(patients) % folds
    own = rng.normal(effect, 1, (patients, 1))
    shared = rng.normal(0, math.sqrt(run), (folds, seeds))[place]
    return Differences(own + shared + rng.normal(0, math.sqrt(noise), (patients, seeds)), tuple(place.tolist()))


def test_one_seed_is_scipys_bootstrap_t():
    data = made(30, 1, 1, effect=0.0)
    values = data.patients
    ratios = stats.bootstrap(
        (values,),
        lambda x, axis: (x.mean(axis) - values.mean()) / (x.std(axis, ddof=1) / math.sqrt(x.shape[axis])),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    error, reach = values.std(ddof=1) / math.sqrt(30), stats.t.ppf(0.975, 29)
    found = interval(data)
    assert found.low == pytest.approx(values.mean() - max(ratios.high, reach) * error, abs=0.03)
    assert found.high == pytest.approx(values.mean() - min(ratios.low, -reach) * error, abs=0.03)


def test_student_p_is_scipys_with_one_seed():
    data = made(25, 1, 5)
    assert student_p(data) == pytest.approx(stats.ttest_1samp(data.patients, 0).pvalue)


def test_few_patients_get_students_interval():
    data = made(FEW - 1, 1, 1)
    expected = stats.ttest_1samp(data.patients, 0).confidence_interval()
    assert (interval(data).low, interval(data).high) == pytest.approx((expected.low, expected.high))


def test_nothing_to_judge_by():
    assert math.isnan(interval(Differences(np.array([[0.3, 0.4]]), (0,))).low)
    same = interval(Differences(np.full((12, 2), 0.25), (0,) * 12))
    assert (same.low, same.high) == (0.25, 0.25)
    assert student_p(Differences(np.zeros((12, 2)), (0,) * 12)) == 1.0


def test_variances_come_back():
    found = [spread(made(60, 4, 5, run=0.3, noise=0.8, seed=s)) for s in range(400)]
    assert np.mean([s.patient for s in found]) == pytest.approx(1.0, rel=0.06)
    assert np.mean([s.run for s in found]) == pytest.approx(0.3, rel=0.12)
    assert np.mean([s.noise for s in found]) == pytest.approx(0.8, rel=0.04)


def test_the_standard_error_is_the_spread_of_effects():
    many = [made(60, 3, 5, run=0.3, seed=s) for s in range(300)]
    errors = np.sqrt(np.mean([standard_error(data) ** 2 for data in many]))
    assert errors == pytest.approx(np.std([data.effect for data in many]), rel=0.09)


def test_units_and_signs_do_not_matter():
    data = made(20, 2, 2, run=0.1)
    found = interval(data)
    scaled = interval(Differences(-3 * data.values, data.folds))
    assert (scaled.low, scaled.high) == pytest.approx((-3 * found.high, -3 * found.low), abs=0.05)
    assert interval(data) == found


def test_coverage_where_patients_alone_would_be_too_sure():
    hits, naive = [], []
    for s in range(200):
        data = made(100, 3, 5, run=0.25, seed=s)
        found = interval(data, 1000, seed=s)
        hits.append(found.low <= 0.5 <= found.high)
        alone = stats.ttest_1samp(data.patients, 0).confidence_interval()
        naive.append(alone.low <= 0.5 <= alone.high)
    assert 0.92 <= np.mean(hits) <= 0.98
    assert np.mean(naive) < 0.85
