"""The interval of a paired effect: patients are drawn, then the seeds of their runs, and the mean is studentised.

Differences stand as [patient, seed]. A run (one fold, one seed) tests many patients, so whatever its training happened
to become is shared by them. Seeds are therefore drawn once for each fold and for all its patients, and the standard
error has two parts: the spread of the patients' means over n, and the spread that the runs of one fold share. With a
single seed the second part cannot be seen, and the interval describes these trainings only.

10 000 draws; the interval is effect - t* se with t* the 2.5 and 97.5 percentiles of (drawn mean - effect) / drawn se
(Efron and Tibshirani 1993, section 12.5). With few patients of heavy tails t* comes out too short, and a single
outlier can make it absurdly long, so |t*| is held between Student's quantile (Satterthwaite's degrees of freedom) and
:data:`LONGEST` times it; coverage is then 93-97 % from 10 to 200 patients (bench/verdict.py, docs/verdict.md). Below
:data:`FEW` patients too few different draws exist, and the interval is Student's.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

DRAWS = 10_000
FEW = 8
LONGEST = 1.5
LEVEL = 0.95
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """Arm minus reference, [patient, seed], every cell finite; ``folds`` says in which fold each patient was tested."""

    values: Floats
    folds: tuple[int, ...]

    @property
    def patients(self) -> Floats:
        """The patients' means over seeds."""
        return np.asarray(self.values.mean(axis=1))

    @property
    def effect(self) -> float:
        """The mean over patients of their means over seeds."""
        return float(self.patients.mean())


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of the effect; NaN where fewer than two patients leave no spread to judge by."""

    low: float
    high: float

    def within(self, margin: float) -> bool:
        """Whether all of it lies strictly between minus and plus the margin."""
        return -margin < self.low and self.high < margin


@dataclass(frozen=True)
class Spread:
    """Where the uncertainty of an effect comes from, as variances of single draws.

    ``patient`` is between the patients' true differences, ``run`` what all patients of one fold and seed share,
    ``noise`` the rest, new with every patient and seed. ``run`` and ``noise`` are 0 with a single seed: the noise is
    then part of ``patient``.
    """

    patient: float
    run: float
    noise: float


def interval(data: Differences, draws: int = DRAWS, *, seed: int = 0) -> Interval:
    """The studentised hierarchical bootstrap interval; the same differences give the same interval."""
    count = len(data.folds)
    if count < 2:
        return Interval(math.nan, math.nan)
    error = standard_error(data)
    if error == 0.0:
        return Interval(data.effect, data.effect)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, _freedom(data)))
    low, high = _quantiles(data, draws, seed) if count >= FEW else (-reach, reach)
    below, above = (float(np.clip(t, reach, LONGEST * reach)) for t in (high, -low))
    return Interval(data.effect - below * error, data.effect + above * error)


def standard_error(data: Differences) -> float:
    """The standard error of the effect over patients and runs."""
    return math.sqrt(sum(_variances(data)))


def _variances(data: Differences) -> tuple[float, float]:
    """What patients and what runs add to the variance of the effect."""
    count, seeds = data.values.shape
    weights = np.bincount(_places(data.folds)) / count
    runs = spread(data).run * _not_yet_counted(data.folds) * float((weights**2).sum()) / seeds
    return float(data.patients.var(ddof=1)) / count, runs


def spread(data: Differences) -> Spread:
    """The variances by the method of moments, none below 0."""
    places = np.asarray(_places(data.folds))
    parts = [data.values[places == fold] for fold in range(max(places) + 1)]
    seeds = data.values.shape[1]
    freedom = sum(len(part) - 1 for part in parts)
    if freedom == 0:  # every patient is a fold of its own: what runs and patients add cannot be told apart
        return Spread(float(data.patients.var(ddof=1)), 0.0, 0.0)
    within = sum(float(part.mean(axis=1).var() * len(part)) for part in parts) / freedom
    if seeds == 1:
        return Spread(within, 0.0, 0.0)
    noise = sum(_rest(part) for part in parts) / (freedom * (seeds - 1))
    shared = np.mean([part.mean(axis=0).var(ddof=1) - noise / len(part) for part in parts])
    return Spread(max(0.0, within - noise / seeds), max(0.0, float(shared)), noise)


def _rest(part: Floats) -> float:
    """The squares that are left of one fold when its patients' and its runs' means are taken out."""
    rest = part - part.mean(axis=0) - part.mean(axis=1, keepdims=True) + part.mean()
    return float((rest**2).sum())


def _quantiles(data: Differences, draws: int, seed: int) -> tuple[float, float]:
    """Low and high t*: every draw has patients, then for every fold its runs."""
    count, seeds = data.values.shape
    places = _places(data.folds)
    patients, runs = _draws(places, seeds, draws, seed)
    centred = data.patients - data.effect
    moved = patients @ centred / count
    variance = np.maximum(0.0, patients @ centred**2 - count * moved**2) / (count - 1) / count
    shares = patients @ np.eye(max(places) + 1)[list(places)] / count
    for fold, shifts in enumerate(_shifts(data)):
        share, drawn = shares[:, fold], runs[:, fold] @ shifts / seeds
        moved = moved + share * drawn
        if seeds > 1:
            variance += share**2 * (runs[:, fold] @ shifts**2 - seeds * drawn**2) / (seeds - 1) / seeds
    usable = variance > 1e-12 * variance.max()
    low, high = np.percentile(moved[usable] / np.sqrt(variance[usable]), [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def _shifts(data: Differences) -> Floats:
    """What each run moves all patients of its fold by, [fold, seed], scaled to the estimated variance of runs."""
    places = np.asarray(_places(data.folds))
    means = np.stack([data.values[places == fold].mean(axis=0) for fold in range(max(places) + 1)])
    shifts = means - means.mean(axis=1, keepdims=True)
    size = float((shifts**2).mean())
    if size == 0.0:
        return np.asarray(shifts)
    return np.asarray(shifts * math.sqrt(spread(data).run * _not_yet_counted(data.folds) / size))


def student_p(data: Differences) -> float:
    """Two-sided p of Student's test of the effect with the standard error over patients and runs."""
    error = standard_error(data)
    if error == 0.0:
        return 0.0 if data.effect else 1.0
    return float(2 * stats.t.sf(abs(data.effect) / error, _freedom(data)))


def _freedom(data: Differences) -> float:
    """Degrees of freedom by Satterthwaite from those of patients and of runs."""
    patients, runs = _variances(data)
    count, seeds = data.values.shape
    parts = patients**2 / (count - 1) + (runs**2 / (len(set(data.folds)) * (seeds - 1)) if runs else 0.0)
    return float((patients + runs) ** 2 / parts)


@lru_cache(maxsize=256)
def _not_yet_counted(folds: tuple[int, ...]) -> float:
    """The share of the runs' variance that the spread between patients of different folds does not hold already."""
    weights = np.bincount(_places(folds)) / len(folds)
    squares = float((weights**2).sum())
    return 1 - (1 - squares) / ((len(folds) - 1) * squares)


@lru_cache(maxsize=256)
def _places(folds: tuple[int, ...]) -> tuple[int, ...]:
    """The patients' folds, numbered from 0 without gaps."""
    names = sorted(set(folds))
    return tuple(names.index(fold) for fold in folds)


@lru_cache(maxsize=8)
def _draws(places: tuple[int, ...], seeds: int, draws: int, seed: int) -> tuple[Floats, Floats]:
    """How often each draw has each patient [B, n] and each run [B, fold, seed]; kept, so that all arms share them."""
    rng = np.random.default_rng(seed)
    count = len(places)
    patients = _counts(rng.integers(0, count, size=(draws, count)), count)
    folds = max(places) + 1
    runs = _counts(rng.integers(0, seeds, size=(draws * folds, seeds)), seeds)
    return patients, runs.reshape(draws, folds, seeds)


def _counts(drawn: npt.NDArray[np.int64], size: int) -> Floats:
    """Rows of drawn places as rows of how often each place was drawn."""
    rows = np.arange(len(drawn))[:, None] * size
    return np.bincount((rows + drawn).ravel(), minlength=len(drawn) * size).reshape(len(drawn), size).astype(float)
