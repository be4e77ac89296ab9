"""Intervals and p-values of a mean difference from what varies: patients, runs, and the training sets of folds.

Differences stand as [patient, seed] beside the fold that tested each patient. Three variances of the effect (the mean
over patients of their means over seeds) are estimated, each where the design lets it be seen:

    patients   the patients' variance over their number; n - 1 degrees of freedom
    runs       what another seed on the same training set would change: the variance of a fold's means over seeds,
               less the noise of single patients in it, pooled over folds; sum of (seeds - 1) degrees of freedom; not
               seen with one seed
    folds      everything at once, training sets included: the variance of the folds' means; about K - 1 degrees of
               freedom for K folds; not seen with one fold. Folds test different patients with different trainings, so
               their means are independent up to the overlap of training sets (see docs/verdict.md)

With one fold the interval is for **these trainings** (other patients and, where seeds show them, other runs on the same
training set) and reaches sqrt(t1^2 patients + t2^2 runs), t1 and t2 Student's quantiles with their degrees of
freedom (Cochran 1964; never too short, where Satterthwaite's single t is with two or three seeds). With several folds
it is for **the method** (other training sets of this size, too) and reaches Student's quantile with about K - 1
degrees of freedom times the root of ``folds``, and never less than patients and runs alone would have it.
The patients' part is corrected for skewness by Hall's cubic transformation (Hall 1992, J. R. Statist. Soc. B 54), never
below Student's quantile and at most :data:`LONGEST` times it.

All functions work along leading axes, so that many comparisons of one design cost little more than one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mrfusion.comparison.stats import student

LONGEST = 2.0
LEAST_P = 1e-12
ROUNDING = 1e-10  # spread below this share of the mean is the arithmetic's
_HALVINGS = 45  # of the logarithm of a level between LEAST_P and 1
Floats = npt.NDArray[np.float64]
Level = float | Floats


@dataclass(frozen=True)
class Differences:
    """Arm minus reference, [..., patient, seed]; a run that was not done is NaN for all patients of its fold.

    ``folds`` says in which fold each patient was tested. Leading axes hold several comparisons of one design.
    """

    values: Floats
    folds: tuple[int, ...]

    @property
    def finished(self) -> npt.NDArray[np.bool_]:
        """Which cells [patient, seed] were run; the same for every comparison that is stacked here."""
        return np.asarray(np.isfinite(self.values.reshape(-1, *self.values.shape[-2:])[0]))

    @property
    def patients(self) -> Floats:
        """The patients' means over the runs that tested them, [..., patient]."""
        done = self.finished
        return np.asarray(np.where(done, self.values, 0.0).sum(axis=-1) / done.sum(axis=-1))

    @property
    def effect(self) -> Floats:
        """The mean over patients of their means, [...]."""
        return np.asarray(self.patients.mean(axis=-1))


@dataclass(frozen=True)
class Variance:
    """One variance of the effect, [...], and the degrees of freedom that it is estimated with."""

    value: Floats
    freedom: float


@dataclass(frozen=True)
class Moments:
    """What is known of an effect, arrays [...]; a variance that the design does not show is None.

    ``skewness`` is that of the patients' differences over the root of their number. ``differing`` counts the patients
    whose mean difference is not 0.
    """

    effect: Floats
    patients: Variance
    runs: Variance | None
    folds: Variance | None
    skewness: Floats
    differing: npt.NDArray[np.int_]


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``, arrays [...] or numbers; NaN where there is none."""

    low: Floats
    high: Floats


def moments(data: Differences) -> Moments:
    """The effect and its variances; every fold needs one finished run, and there must be two patients."""
    done, means = data.finished, data.patients
    groups = _groups(data.folds)
    sizes = groups.sum(axis=0)
    weights = sizes / sizes.sum()
    effect = means.mean(axis=-1)
    centred = means - effect[..., None]
    square = (centred**2).mean(axis=-1)
    square = np.where(square > (ROUNDING * effect) ** 2, square, 0.0)
    count = len(data.folds)
    return Moments(
        effect=effect,
        patients=Variance(square / (count - 1), count - 1.0),
        runs=_runs(data.values, done, groups, weights),
        folds=_folds(means @ groups / sizes, effect, weights),
        skewness=_skewness(centred, square),
        differing=np.asarray((np.abs(means) > ROUNDING).sum(axis=-1)),
    )


def mean_moments(values: Floats) -> Moments:
    """Of a plain mean of independent numbers [..., n], at least two: the patients' variance alone."""
    return moments(Differences(np.asarray(values, float)[..., None], (0,) * np.shape(values)[-1]))


def interval(found: Moments, level: Level = 0.05) -> Interval:
    """The interval of coverage 1 - level: for the method where folds show it, else for these trainings."""
    below, above = _reach(found, level)
    if found.folds is not None:
        reach = student(level, found.folds.freedom) * np.sqrt(found.folds.value)
        below, above = np.maximum(below, reach), np.maximum(above, reach)
    return Interval(found.effect - below, found.effect + above)


def p_different(found: Moments) -> Floats:
    """The smallest level whose interval excludes 0: a two-sided p-value."""
    return _smallest(found, lambda level: excludes_zero(interval(found, level)))


def p_equivalent(found: Moments, margin: float) -> Floats:
    """The p of two one-sided tests: the smallest level whose interval of coverage 1 - 2 level lies in the margin."""
    return _smallest(found, lambda level: within(interval(found, np.minimum(1.0, 2 * level)), margin))


def excludes_zero(interval: Interval) -> npt.NDArray[np.bool_]:
    """Whether 0 lies outside."""
    return np.asarray((interval.low > 0) | (interval.high < 0))


def within(interval: Interval, margin: float) -> npt.NDArray[np.bool_]:
    """Whether all of it lies strictly between minus and plus the margin."""
    return np.asarray((interval.low > -margin) & (interval.high < margin))


def mean_interval(values: npt.ArrayLike, level: float = 0.05) -> tuple[float, float]:
    """The interval of the mean of independent numbers, such as one score a patient; NaN for fewer than two."""
    numbers = np.asarray(values, float)
    if len(numbers) < 2:
        return float("nan"), float("nan")
    found = interval(mean_moments(numbers), level)
    return float(found.low), float(found.high)


def _smallest(found: Moments, holds: Callable[[Floats], npt.NDArray[np.bool_]]) -> Floats:
    """The smallest level in (0, 1] at which a statement about the interval holds, by halving its logarithm."""
    low, high = np.full_like(found.effect, np.log(LEAST_P)), np.zeros_like(found.effect)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        true = holds(np.exp(middle))
        low, high = np.where(true, low, middle), np.where(true, middle, high)
    return np.asarray(np.exp(high))


def _reach(found: Moments, level: Level) -> tuple[Floats, Floats]:
    """How far patients and runs let the effect go below and above what was seen."""
    error = np.sqrt(found.patients.value)
    quantile = student(level, found.patients.freedom)
    below, above = _skewed(quantile, found.skewness), _skewed(quantile, -found.skewness)
    if found.runs is None:
        return below * error, above * error
    runs = student(level, found.runs.freedom) ** 2 * found.runs.value
    return np.sqrt((below * error) ** 2 + runs), np.sqrt((above * error) ** 2 + runs)


def _skewed(quantile: Floats, skewness: Floats) -> Floats:
    """Student's quantile through the inverse of Hall's transformation, held between it and LONGEST times it."""
    g = np.where(np.abs(skewness) < 1e-9, 1e-9, skewness)
    turned = 3 / g * (np.cbrt(1 + g * (quantile - g / 6)) - 1)
    return np.asarray(np.clip(turned, quantile, LONGEST * quantile))


def _skewness(centred: Floats, square: Floats) -> Floats:
    """The adjusted Fisher-Pearson coefficient over the root of n; 0 where nothing varies or with two numbers."""
    count = centred.shape[-1]
    if count < 3:
        return np.zeros_like(square)
    scale = np.where(square > 0, square, 1.0) ** 1.5
    plain = np.where(square > 0, (centred**3).mean(axis=-1), 0.0) / scale
    return np.asarray(plain * np.sqrt(count - 1.0) / (count - 2))


def _runs(values: Floats, done: npt.NDArray[np.bool_], groups: Floats, weights: Floats) -> Variance | None:
    sizes = groups.sum(axis=0)
    ran = (groups.T @ done) > 0  # [fold, seed]
    seeds = ran.sum(axis=1)
    freedom = int((seeds - 1).sum())
    if freedom == 0:
        return None
    means = np.einsum("pf,...ps->...fs", groups / sizes, np.where(done, values, 0.0))
    centre = means.sum(axis=-1, keepdims=True) / seeds[:, None]
    moved = np.where(ran, means - centre, 0.0)
    shared = (moved**2).sum(axis=(-2, -1)) / freedom
    if freedom > 1:  # with a single degree, what is cut off at 0 would make intervals too short
        shared = shared - _noise(values, done, groups, moved)
    return Variance(np.maximum(0.0, shared) * float((weights**2 / seeds).sum()), float(freedom))


def _noise(values: Floats, done: npt.NDArray[np.bool_], groups: Floats, moved: Floats) -> Floats:
    """What noise of single patients and runs, which the patients' variance holds already, adds to that of run means."""
    sizes, seeds = groups.sum(axis=0), ((groups.T @ done) > 0).sum(axis=1)
    own = np.where(done, values, 0.0).sum(axis=-1) / done.sum(axis=-1)
    rest = np.where(done, values - own[..., None] - np.einsum("pf,...fs->...ps", groups, moved), 0.0)
    freedom = float(((sizes - 1) * (seeds - 1)).sum())
    if freedom == 0:
        return np.zeros_like(own[..., 0])
    per_mean = float(((seeds - 1) / sizes).sum() / (seeds - 1).sum())
    return np.asarray((rest**2).sum(axis=(-2, -1)) / freedom * per_mean)


def _folds(means: Floats, effect: Floats, weights: Floats) -> Variance | None:
    """The variance of the weighted mean of fold means (Bell and McCaffrey 2002); freedom by the folds' sizes."""
    if len(weights) < 2:
        return None
    squares = weights**2 * (means - effect[..., None]) ** 2 / (1 - weights)
    return Variance(squares.sum(axis=-1), 1 / float((weights**2).sum()) - 1)


def _groups(folds: tuple[int, ...]) -> Floats:
    """Which patient [row] was tested in which fold [column]: 1 or 0."""
    names = sorted(set(folds))
    return np.asarray(np.asarray(folds)[:, None] == np.asarray(names), float)
