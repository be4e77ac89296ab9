"""Small learners with k-fold training sets, whose true difference is known by brute force; part of bench/verdict.py.

The score of a patient is exp(-|error|) of a regression, 0 to 1. The truth is the mean difference over 1500 pairs of
trainings on fresh training sets of the size that a fold leaves, each tested on 4000 fresh patients.

    twins     trees that see x0 and others that see x1, which are worth the same: no difference, but every training set
              favours one of them
    trees     trees on a good and on a worse choice of columns
    linear    ridge regression on columns with and without signal
    nearest   the nearest neighbour against ridge regression: the least stable learner there is
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from mrfusion.comparison.evidence import FEWEST
from mrfusion.comparison.interval import Differences, excludes_zero, interval, moments, within

Floats = NDArray[np.float64]
Learner = Callable[[int], object]
COLUMNS, MARGIN, TRUTHS, TESTED = 8, 0.01, 1500, 4000


def _tree(columns: list[int], seed: int, x: Floats, y: Floats, at: Floats) -> Floats:
    """A run draws its training samples again, as the order of batches would."""
    drawn = np.random.default_rng(seed).integers(0, len(y), len(y))
    tree = DecisionTreeRegressor(max_depth=3, random_state=seed)
    return np.asarray(tree.fit(x[drawn][:, columns], y[drawn]).predict(at[:, columns]))


def _ridge(columns: list[int], seed: int, x: Floats, y: Floats, at: Floats) -> Floats:  # noqa: ARG001
    return np.asarray(Ridge(1.0).fit(x[:, columns], y).predict(at[:, columns]))


def _nearest(columns: list[int], seed: int, x: Floats, y: Floats, at: Floats) -> Floats:  # noqa: ARG001
    return np.asarray(KNeighborsRegressor(1).fit(x[:, columns], y).predict(at[:, columns]))


Fit = Callable[[list[int], int, Floats, Floats, Floats], Floats]
PAIRS: dict[str, tuple[tuple[Fit, list[int]], tuple[Fit, list[int]]]] = {
    "twins": ((_tree, [0, 4, 5]), (_tree, [1, 6, 7])),
    "trees": ((_tree, [0, 1, 2]), (_tree, [0, 2, 3, 4])),
    "linear": ((_ridge, [0, 1, 2, 3]), (_ridge, [0, 4, 5, 6, 7])),
    "nearest": ((_nearest, list(range(COLUMNS))), (_ridge, list(range(COLUMNS)))),
}


@dataclass(frozen=True)
class Learned:
    """Many studies of one pair of learners: how often the interval held the truth, and false words."""

    pair: str
    patients: int
    folds: int
    truth: float
    coverage: float
    false: float
    studies: int


def population(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Patients: eight columns, of which x0 and x1 are worth the same."""
    x = rng.normal(size=(count, COLUMNS))
    return x, x[:, 0] + x[:, 1] + 0.5 * x[:, 2] * x[:, 3] + 0.6 * rng.normal(size=count)


def difference(pair: str, seed: int, train: tuple[Floats, Floats], test: tuple[Floats, Floats]) -> Floats:
    """The scores of the first learner minus those of the second, [patient]; each has a seed of its own."""
    one, other = (np.exp(-np.abs(fit(columns, 2 * seed + k, *train, test[0]) - test[1]))
                  for k, (fit, columns) in enumerate(PAIRS[pair]))  # fmt: skip
    return np.asarray(one - other)


def truth(pair: str, patients: int, folds: int, trainings: int) -> float:
    """The mean difference over training sets of the sizes that folds leave."""
    rng = np.random.default_rng([1, patients, folds])
    left = [patients - len(range(fold, patients, folds)) for fold in range(folds)]
    means = [difference(pair, n, population(rng, left[n % folds]), population(rng, TESTED)).mean()
             for n in range(trainings)]  # fmt: skip
    return float(np.mean(means))


def learned(pair: str, patients: int, folds: int, *, studies: int, trainings: int = TRUTHS, seeds: int = 2) -> Learned:
    """Cross-validated studies of one pair, judged."""
    rng = np.random.default_rng([2, patients, folds])
    place, values = np.arange(patients) % folds, np.zeros((studies, patients, seeds))
    for study in range(studies):
        x, y = population(rng, patients)
        for fold in range(folds):
            inside = place == fold
            for seed in range(seeds):
                number = int(rng.integers(1 << 30))
                values[study, inside, seed] = difference(pair, number, (x[~inside], y[~inside]), (x[inside], y[inside]))
    true = 0.0 if pair == "twins" else truth(pair, patients, folds, trainings)
    found = moments(Differences(values, tuple(place.tolist())))
    outer, inner = interval(found), interval(found, 0.1)
    wrong = excludes_zero(outer) & (np.sign(found.effect) != np.sign(true))
    wrong |= within(inner, MARGIN) & (abs(true) >= MARGIN)
    held = (outer.low <= true) & (true <= outer.high)
    assert (found.differing >= FEWEST).all()
    return Learned(pair, patients, folds, true, float(held.mean()), float(wrong.mean()), studies)


def all_learned(smoke: bool) -> Iterable[Learned]:
    """Every pair with few and with many patients, with three and with five folds."""
    for pair in PAIRS:
        for patients, folds in ((30, 5),) if smoke else ((15, 3), (30, 3), (30, 5), (100, 5)):
            yield learned(pair, patients, folds, studies=20 if smoke else 400, trainings=50 if smoke else TRUTHS)
