"""Whether two numbers of a case go together: rank correlation with patients as the unit, inside each run."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
from scipy import stats

FEWEST = 4  # patients; with fewer no order of them is rare
DRAWS = 9999
Floats = npt.NDArray[np.float64]
Ranks = dict[Hashable, dict[str, tuple[float, float]]]  # fold to patient to the two mean ranks


@dataclass(frozen=True)
class Point:
    """Two numbers of one case under one run; the runs of a ``fold`` test the same patients."""

    fold: int
    seed: int
    patient: str
    x: float
    y: float


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho, its 95 % interval (Fieller, Hartley, Pearson 1957), a permutation p, and what it rests on.

    All but the counts are NaN where there are fewer than :data:`FEWEST` patients, or nothing varies.
    """

    rho: float
    low: float
    high: float
    p: float
    patients: int
    runs: int

    @property
    def shown(self) -> bool:
        """Whether chance alone would rarely do it."""
        return self.p < 0.05


def rank_correlation(points: Iterable[Point]) -> Correlation:
    """Spearman's rho over patients.

    Numbers of different runs are never compared: a patient's values are ranked among those of the same run, and the
    ranks averaged over seeds. With one run it is the usual rho. p permutes patients within their folds.
    """
    rows = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    runs = len({(p.fold, p.seed) for p in rows})
    folds = [np.array(list(ranks.values())) for ranks in _ranks(rows).values()]
    patients = sum(len(fold) for fold in folds)
    folds = [fold - fold.mean(0) for fold in folds]
    scale = math.sqrt(math.prod(sum(float((fold[:, axis] ** 2).sum()) for fold in folds) for axis in (0, 1)))
    if patients < FEWEST or scale < 1e-12:
        return Correlation(math.nan, math.nan, math.nan, math.nan, patients, runs)
    rho = sum(float(fold[:, 0] @ fold[:, 1]) for fold in folds) / scale
    drawn = _permuted(folds) / scale
    p = (1 + int((np.abs(drawn) >= abs(rho) - 1e-9).sum())) / (1 + DRAWS)
    return Correlation(rho, *_interval(rho, patients), p, patients, runs)


def _ranks(rows: Sequence[Point]) -> Ranks:
    """The mean over seeds of each patient's ranks within a run, from -1/2 to 1/2."""
    found: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for fold, seed in sorted({(p.fold, p.seed) for p in rows}):
        cases: dict[str, list[Point]] = defaultdict(list)
        for point in rows:
            if (point.fold, point.seed) == (fold, seed):
                cases[point.patient].append(point)
        x, y = (_centred([fmean(getattr(p, axis) for p in each) for each in cases.values()]) for axis in "xy")
        for patient, one, other in zip(cases, x, y, strict=True):
            found[fold][patient].append((float(one), float(other)))
    return {
        fold: {patient: (fmean(a for a, _ in each), fmean(b for _, b in each)) for patient, each in patients.items()}
        for fold, patients in found.items()
    }


def _centred(values: Sequence[float]) -> Floats:
    return (np.asarray(stats.rankdata(values)) - (len(values) + 1) / 2) / len(values)


def _permuted(folds: Sequence[Floats]) -> Floats:
    """The sum of products with the second ranks in random order within each fold, many times."""
    random = np.random.default_rng(0)
    sums = np.zeros(DRAWS)
    for fold in folds:
        orders = random.random((DRAWS, len(fold))).argsort(axis=1)
        sums += fold[:, 1][orders] @ fold[:, 0]
    return sums


def _interval(rho: float, patients: int) -> tuple[float, float]:
    if abs(rho) > 1 - 1e-9:
        return rho, rho
    reach = 1.96 * math.sqrt(1.06 / (patients - 3))
    return math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach)
