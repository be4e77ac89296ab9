"""Studies together: against published examples, statsmodels, and an integration by brute force."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from mrfusion.comparison.combine import StudyEffect, combine
from mrfusion.errors import InputError

# Rubin 1981; Gelman, Carlin, Stern, Dunson, Vehtari, Rubin: Bayesian Data Analysis, 3rd ed., table 5.2
SCHOOLS = [(28, 15), (8, 10), (-3, 16), (7, 11), (-1, 9), (1, 11), (18, 10), (12, 18)]
# what Stan says of them with flat priors (rstan, July 2015; its Monte Carlo errors are about 0.1): 2.5 %, mean, 97.5 %
STAN = [
    (-2.12, 11.40, 31.80), (-4.34, 7.96, 20.75), (-11.20, 6.15, 20.43), (-5.46, 7.58, 20.49), (-8.86, 5.14, 16.34),
    (-8.38, 6.20, 18.69), (-1.06, 10.59, 25.73), (-6.86, 8.37, 24.83),
]  # fmt: skip
STAN_MU, STAN_TAU = (-1.69, 7.98, 18.16), (5.21, 0.22, 20.48)  # of tau the median comes first
# Colditz et al. 1994, BCG vaccine: log risk ratios and their variances (metafor's dat.bcg)
BCG = [
    (-0.8893, 0.3256), (-1.5854, 0.1946), (-1.3481, 0.4154), (-1.4416, 0.0200), (-0.2175, 0.0512), (-0.7861, 0.0069),
    (-1.6209, 0.2230), (0.0120, 0.0040), (-0.4694, 0.0564), (-1.3713, 0.0730), (-0.3394, 0.0124), (0.4459, 0.5325),
    (-0.0173, 0.0714),
]  # fmt: skip


def studies(pairs):
    return [StudyEffect(str(k), float(effect), float(error)) for k, (effect, error) in enumerate(pairs)]


def test_the_eight_schools_as_in_stan():
    found = combine(studies(SCHOOLS), margin=1.0, scale=math.inf)
    for belief, (low, mean, high) in zip([b for _, b in found.studies] + [found.mean], [*STAN, STAN_MU], strict=True):
        assert belief.low == pytest.approx(low, abs=0.8)
        assert belief.mean == pytest.approx(mean, abs=0.35)
        assert belief.high == pytest.approx(high, abs=0.8)
    assert found.between == pytest.approx(STAN_TAU, abs=0.4)


def test_bcg_agrees_with_statsmodels_and_metafor():
    effects, variances = np.array(BCG).T
    found = combine(studies(zip(effects, np.sqrt(variances), strict=True)), margin=0.1, sign=-1, scale=math.inf)
    theirs = combine_effects(effects, variances, method_re="iterated").summary_frame()
    assert found.mean.mean == pytest.approx(theirs.loc["random effect", "eff"], abs=0.02)
    assert found.mean.mean == pytest.approx(-0.7145, abs=0.02)  # metafor's REML, standard error 0.1798
    assert found.mean.high - found.mean.low >= 2 * 1.96 * 0.1798  # and wider, as tau is not known
    assert found.mean.high - found.mean.low == pytest.approx(2 * 1.96 * 0.1798, rel=0.25)
    assert found.between[0] == pytest.approx(math.sqrt(0.3132), abs=0.06)  # REML's tau
    assert found.mean.helps > 0.99


def test_it_agrees_with_integration_by_brute_force():
    given, margin, scale = [(0.03, 0.01), (0.00, 0.012), (0.05, 0.02)], 0.01, 0.05
    found = combine(studies(given), margin)
    mu, tau = np.meshgrid(np.linspace(-0.5, 0.6, 2201), np.tan(np.linspace(0.0005, 0.9995, 1000) * math.pi / 2) * scale)
    logs = sum(stats.norm.logpdf(y, mu, np.sqrt(s**2 + tau**2)) for y, s in given)
    weights = np.exp(logs - logs.max())  # equal steps of the prior's quantiles
    weights /= weights.sum()
    assert found.mean.mean == pytest.approx(float((weights * mu).sum()), abs=5e-4)
    following = (weights * stats.norm.sf((margin - mu) / tau)).sum()
    assert found.following.helps == pytest.approx(float(following), abs=0.01)
    y, s = given[1]
    share = tau**2 / (tau**2 + s**2)
    first = (weights * stats.norm.sf((margin - share * y - (1 - share) * mu) / (np.sqrt(share) * s))).sum()
    assert found.studies[1][1].helps == pytest.approx(float(first), abs=0.01)


def test_studies_that_agree_lend_each_other_strength_and_the_next_is_less_sure():
    found = combine(studies([(0.03, 0.012), (0.028, 0.012), (0.033, 0.012), (0.031, 0.012)]), 0.01)
    alone = stats.norm.sf((0.01 - 0.03) / 0.012)
    assert found.studies[0][1].helps > alone
    assert found.mean.helps >= found.following.helps
    for belief in (found.mean, found.following, *(b for _, b in found.studies)):
        assert belief.helps + belief.equivalent + belief.hurts == pytest.approx(1)
        assert belief.low < belief.mean < belief.high


def test_studies_that_contradict_each_other_promise_nothing():
    found = combine(studies([(0.06, 0.005), (-0.06, 0.005), (0.05, 0.005), (-0.05, 0.005)]), 0.01)
    assert 0.2 < found.following.helps < 0.6
    assert found.between[1] > 0.02


def test_the_sign_turns_help_into_hurt():
    up, down = (combine(studies([(2.0, 0.4), (2.5, 0.5)]), 1.0, sign) for sign in (1, -1))
    assert up.mean.helps == pytest.approx(down.mean.hurts)


def test_intervals_become_errors():
    found = StudyEffect.of("a", 0.02, 0.0, 0.04)
    assert found.error == pytest.approx(0.04 / 2 / 1.96, rel=1e-4)
    with pytest.raises(InputError, match="cannot be combined"):
        StudyEffect.of("a", 0.0, 0.0, 0.0)


def test_what_cannot_be_combined_is_said():
    with pytest.raises(InputError, match="at least two studies"):
        combine(studies([(1, 1)]), 1.0)
    with pytest.raises(InputError, match="must be above 0"):
        combine(studies([(1, 1), (2, 1)]), 0.0)
    with pytest.raises(InputError, match="at least three"):
        combine(studies([(1, 1), (2, 1)]), 1.0, scale=math.inf)
