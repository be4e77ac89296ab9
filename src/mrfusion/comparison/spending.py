"""The rule of a study that stops when it is decided: when it may look, and what each look may spend of the 5 %."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from mrfusion.comparison.verdict import ALPHA

Floats = npt.NDArray[np.float64]
_POINTS, _REACH = 401, 6.0  # of the grid of running sums, and its half-width in standard deviations of the last


@dataclass(frozen=True)
class Spending:
    """Looks after ``fewest_seeds`` to ``most_seeds`` complete seeds, every one at the same level (Pocock 1977).

    A seed is complete when it was run in every fold under an arm and under the reference. The level is the largest at
    which all looks together reject a true null in at most ALPHA, if seeds alone varied: the looks are then as little
    alike as they can be. Patients and training sets that all looks share make them more alike, and a false word less
    likely (Slepian 1962).
    """

    most_seeds: int = 5
    fewest_seeds: int = 2

    @property
    def looks(self) -> range:
        """The numbers of complete seeds at which the study looks."""
        return range(self.fewest_seeds, max(self.fewest_seeds, self.most_seeds) + 1)

    @property
    def level(self) -> float:
        """What one look may spend."""
        return _level(tuple(self.looks))

    @property
    def times(self) -> float:
        """What a p-value of one look is multiplied by, so that it can be read against ALPHA."""
        return ALPHA / self.level


@lru_cache(maxsize=64)
def _level(looks: tuple[int, ...]) -> float:
    if len(looks) == 1:
        return ALPHA
    bound = optimize.brentq(lambda z: ever_beyond(z, looks) - ALPHA, 1.9, 4.0, xtol=1e-5)
    return float(2 * special.ndtr(-bound))


def ever_beyond(bound: float, looks: tuple[int, ...]) -> float:
    """The chance that the mean of independent normal seeds is ever beyond ``bound`` standard errors at the looks.

    The sum of the seeds is carried from look to look on a grid (Armitage, McPherson, Rowe 1969).
    """
    grid = np.linspace(-_REACH, _REACH, _POINTS) * np.sqrt(looks[-1])
    step = grid[1] - grid[0]
    mass = _density(grid, looks[0])
    stopped = 0.0
    for before, after in zip(looks, (*looks[1:], None), strict=True):
        edge = bound * np.sqrt(before)
        inside = np.clip((edge - np.abs(grid)) / step + 0.5, 0.0, 1.0)  # a point stands for its cell
        stopped += float((mass * (1 - inside)).sum() * step)
        if after is not None:
            mass = _density(grid[:, None] - grid, after - before) @ (mass * inside) * step
    return stopped


def _density(x: Floats, variance: int) -> Floats:
    """The normal density of mean 0."""
    return np.asarray(np.exp(-(x**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance))
