"""Intervals: against scipy and hand-made variances, their shape under changes, and the coverage that they claim."""

import math

import numpy as np
import pytest
from scipy import stats

from mrfusion.comparison.interval import (
    Differences,
    excludes_zero,
    interval,
    mean_interval,
    moments,
    p_different,
    p_equivalent,
)


def made(shape, patients=30, folds=5, seeds=2, *, effect=0.0, patient=4.0, run=0.0, train=0.0, noise=1.0, seed=0):
    """Many studies at once whose variances are known."""
    rng = np.random.default_rng(seed)
    place = np.arange(patients) % folds
    own = rng.normal(effect, patient, (*shape, patients, 1))
    shared = rng.normal(0, train, (*shape, folds, 1)) + rng.normal(0, run, (*shape, folds, seeds))
    values = own + shared[..., place, :] + rng.normal(0, noise, (*shape, patients, seeds))
    return Differences(values, tuple(place.tolist()))


def coverage(data, truth):
    found = interval(moments(data))
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


def test_one_fold_and_one_seed_is_students_interval_where_nothing_is_skew():
    values = np.concatenate([np.arange(1.0, 11), -np.arange(1.0, 11)]) + 0.7
    theirs = stats.ttest_1samp(values, 0)
    found = moments(Differences(values[:, None], (0,) * 20))
    assert (float(interval(found).low), float(interval(found).high)) == pytest.approx(theirs.confidence_interval())
    assert float(p_different(found)) == pytest.approx(theirs.pvalue)


def test_folds_are_the_units_of_a_claim_about_the_method():
    data = made((), 40, 5, 3, train=6.0, effect=3.0, seed=1)
    means = [data.patients[np.asarray(data.folds) == fold].mean() for fold in range(5)]
    theirs = stats.ttest_1samp(means, 0)
    found = moments(data)
    assert float(p_different(found)) == pytest.approx(theirs.pvalue, rel=1e-6)
    assert (float(interval(found).low), float(interval(found).high)) == pytest.approx(theirs.confidence_interval())


def test_two_one_sided_tests_agree_with_scipy():
    values = np.concatenate([np.arange(1.0, 11), -np.arange(1.0, 11)]) / 20 + 0.03
    found = moments(Differences(values[:, None], (0,) * 20))
    theirs = max(
        stats.ttest_1samp(values, -0.2, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.2, alternative="less").pvalue,
    )
    assert float(p_equivalent(found, 0.2)) == pytest.approx(theirs)


def test_p_is_where_the_interval_begins_to_exclude_zero():
    found = moments(made((50,), effect=1.5, run=1.0, train=0.5))
    p = p_different(found)
    assert excludes_zero(interval(found, np.minimum(1.0, p * 1.001)))[p < 0.9].all()
    assert not excludes_zero(interval(found, p * 0.999)).any()


def test_the_variance_of_runs_comes_back():
    found = moments(made((4000,), 40, 1, 3, run=2.0))
    assert found.runs is not None
    assert found.folds is None
    assert float(found.runs.value.mean()) == pytest.approx(4.0 / 3, rel=0.05)
    assert found.runs.freedom == 2


def test_noise_of_single_patients_is_not_taken_for_that_of_runs():
    found = moments(made((4000,), 12, 1, 3, noise=6.0))
    assert found.runs is not None
    assert float(found.runs.value.mean()) < 0.7 * 36.0 / 12 / 3  # what it would be if noise were not taken out
    assert coverage(made((4000,), 12, 1, 3, noise=6.0, run=1.0), 0.0) >= 0.94


def test_unfinished_runs_do_not_count_and_nothing_is_filled_in():
    whole = made((), 30, 5, 2, run=1.0)
    values = whole.values.copy()
    values[np.asarray(whole.folds) != 0, 1] = np.nan
    found = moments(Differences(values, whole.folds))
    assert found.runs is not None
    assert found.runs.freedom == 1
    means = np.where(np.isfinite(values[:, 1]), values.mean(axis=1), values[:, 0])
    assert float(found.effect) == pytest.approx(means.mean())


@pytest.mark.parametrize(("folds", "seeds", "run", "train"), [
    (1, 2, 4.0, 0.0), (1, 3, 4.0, 0.0), (1, 5, 1.0, 0.0), (3, 1, 4.0, 2.0), (5, 1, 1.0, 2.0), (5, 3, 2.0, 2.0),
    (5, 5, 0.0, 0.0),
])  # fmt: skip
@pytest.mark.parametrize("patients", [12, 100])
def test_it_covers_what_it_claims(folds, seeds, run, train, patients):
    data = made((4000,), patients, folds, seeds, run=1.41 * run, train=1.41 * train, seed=3)
    assert coverage(data, 0.0) >= 0.94


def test_satterthwaites_single_quantile_would_be_too_short_with_two_seeds():
    found = moments(made((4000,), 30, 1, 2, run=2.83, seed=5))
    assert found.runs is not None
    patients, runs = found.patients, found.runs
    both = patients.value + runs.value
    freedom = both**2 / (patients.value**2 / patients.freedom + runs.value**2 / runs.freedom)
    assert np.mean(np.abs(found.effect) > stats.t.ppf(0.975, freedom) * np.sqrt(both)) > 0.1
    assert np.mean(excludes_zero(interval(found))) < 0.06


def test_a_single_training_set_is_claimed_and_no_more():
    shared = np.random.default_rng(0).normal(0, 3.0, (4000, 1, 1))
    data = made((4000,), 40, 1, 3, run=1.0)
    seen = Differences(data.values + shared, data.folds)
    assert coverage(seen, 0.0) < 0.6
    found = interval(moments(seen))
    here = shared[:, 0, 0]
    assert np.mean((found.low <= here) & (here <= found.high)) >= 0.94


@pytest.mark.parametrize(("patients", "least"), [(5, 0.91), (8, 0.93), (15, 0.94), (40, 0.94)])
def test_intervals_of_skew_scores_cover(patients, least):
    rng = np.random.default_rng(0)
    scores = 1 / (1 + np.exp(-(2 + 1.2 * rng.normal(size=(3000, patients)))))
    truth = float((1 / (1 + np.exp(-(2 + 1.2 * np.random.default_rng(1).normal(size=1_000_000))))).mean())
    ends = np.array([mean_interval(row) for row in scores])
    assert np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])) >= least


def test_units_and_signs_do_not_matter():
    data = made((), 20, 2, 2, run=1.0)
    found, scaled = interval(moments(data)), interval(moments(Differences(-3 * data.values, data.folds)))
    assert (float(scaled.low), float(scaled.high)) == pytest.approx((-3 * float(found.high), -3 * float(found.low)))


def test_one_number_has_no_interval():
    assert all(math.isnan(end) for end in mean_interval([0.4]))
    assert mean_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4), abs=1e-12)
