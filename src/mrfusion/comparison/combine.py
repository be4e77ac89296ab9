"""Several studies of the same two arms, seen together: how likely the arm helps on each, and on the next data set.

A hierarchical model: study i saw the effect y_i with standard error s_i; its own true effect theta_i is drawn from
N(mu, tau^2). mu has a flat prior, tau a half-Cauchy prior with a scale (Gelman 2006, Bayesian Analysis 1, section 5),
or a flat one where the scale is infinite. Given tau everything is normal, so tau is integrated on a grid and every
probability is exact but for the grid: no draws. The region of practical equivalence is the margin of the studies
(Corani, Benavoli, Demsar, Mangili, Zaffalon 2017, Machine Learning 106).

Differs from the paper: it models the scores of every fold; we take each study's effect and interval, which hold what
patients, runs and training sets change there. The half-width of the 95 % interval over 1.96 stands for the standard
error, so that few degrees of freedom make a study count less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from mrfusion.errors import InputError

SCALE_IN_MARGINS = 5.0  # the prior median of tau: five times what counts as no difference
POINTS = 2000
NORMAL = 1.959964
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StudyEffect:
    """What one study saw, arm minus reference in the metric's unit, with its standard error."""

    study: str
    effect: float
    error: float
    patients: int = 0

    @classmethod
    def of(cls, study: str, effect: float, low: float, high: float, *, patients: int = 0) -> "StudyEffect":
        """From an effect and its 95 % interval; InputError where there is none or it has no width."""
        if not high > low:
            raise InputError(
                f"{study}: expected an effect with a 95 % interval, found {low:g} to {high:g}; a study without one "
                "cannot be combined with others"
            )
        return cls(study, effect, (high - low) / 2 / NORMAL, patients)


@dataclass(frozen=True)
class Belief:
    """What is believed of one effect: the mean, a 95 % interval, and how likely each word is true."""

    mean: float
    low: float
    high: float
    helps: float
    equivalent: float
    hurts: float


@dataclass(frozen=True)
class Combined:
    """Studies seen together: each study's effect in the light of the others, their mean, and the next data set.

    ``between`` is the median and the 95 % interval of tau, how much effects differ from data set to data set.
    """

    studies: tuple[tuple[StudyEffect, Belief], ...]
    mean: Belief
    following: Belief
    between: tuple[float, float, float]


@dataclass(frozen=True)
class _Mixture:
    """Normals [component] with weights: the belief of one effect, tau integrated."""

    weights: Floats
    means: Floats
    deviations: Floats

    def below(self, value: float) -> float:
        return float(self.weights @ special.ndtr((value - self.means) / self.deviations))

    def quantile(self, share: float) -> float:
        reach = 40 * float(self.deviations.max())
        ends = float(self.means.min()) - reach, float(self.means.max()) + reach
        return float(optimize.brentq(lambda value: self.below(value) - share, *ends, xtol=1e-10 * reach + 1e-14))

    def belief(self, margin: float, sign: int) -> Belief:
        more, less = 1 - self.below(margin), self.below(-margin)
        helps, hurts = (more, less) if sign > 0 else (less, more)
        return Belief(float(self.weights @ self.means), self.quantile(0.025), self.quantile(0.975), helps,
                      1 - more - less, hurts)  # fmt: skip


def combine(studies: Sequence[StudyEffect], margin: float, sign: int = 1, *, scale: float | None = None) -> Combined:
    """The studies together; at least two. ``scale`` of the prior of tau: default five margins, ``math.inf`` is flat.

    ``sign`` is 1 where higher is better. Raises InputError for a single study, a margin that is not above 0, or a flat
    prior with fewer than three studies (their differences then leave tau without an upper end).
    """
    _check(studies, margin, scale)
    effects, errors = (np.array(column, float) for column in zip(*((s.effect, s.error) for s in studies), strict=True))
    taus, prior = _grid(effects, errors, SCALE_IN_MARGINS * margin if scale is None else scale)
    precisions = 1 / (errors**2 + taus[:, None] ** 2)
    spread = 1 / precisions.sum(axis=1)
    centre = spread * (precisions @ effects)
    fit = 0.5 * (
        np.log(precisions).sum(axis=1) + np.log(spread) - (precisions * (effects - centre[:, None]) ** 2).sum(axis=1)
    )
    weights = prior * np.exp(fit - fit.max())
    weights = weights / weights.sum()
    own = [_own(weights, taus, centre, spread, study=study) for study in studies]
    return Combined(
        studies=tuple((study, each.belief(margin, sign)) for study, each in zip(studies, own, strict=True)),
        mean=_Mixture(weights, centre, np.sqrt(spread)).belief(margin, sign),
        following=_Mixture(weights, centre, np.sqrt(spread + taus**2)).belief(margin, sign),
        between=_of_tau(taus, weights),
    )


def _own(weights: Floats, taus: Floats, centre: Floats, spread: Floats, *, study: StudyEffect) -> _Mixture:
    """A study's own effect given tau: what it saw, drawn towards the mean of all."""
    share = taus**2 / (taus**2 + study.error**2)  # of what it saw itself
    means = share * study.effect + (1 - share) * centre
    variances = share * study.error**2 + (1 - share) ** 2 * spread
    return _Mixture(weights, means, np.sqrt(variances))


def _grid(effects: Floats, errors: Floats, scale: float) -> tuple[Floats, Floats]:
    """Values of tau and the prior's mass at each; a half-Cauchy by its quantiles and, finer, up to what was seen."""
    seen = 3 * (float(np.ptp(effects)) + float(errors.max()))
    edges = np.linspace(0.0, seen, POINTS + 1)
    if math.isinf(scale):
        edges = np.concatenate([edges, seen * np.geomspace(1, 100, 400)[1:]])
        return (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    last = 2 / math.pi * math.atan(seen / scale)
    tail = scale * np.tan(math.pi / 2 * np.linspace(last, 1.0, 400, endpoint=False)[1:])
    edges = np.concatenate([edges, tail])
    mass = [2 / math.pi * (math.atan(high / scale) - math.atan(low / scale)) for low, high in pairwise(edges.tolist())]
    return (edges[1:] + edges[:-1]) / 2, np.array(mass)


def _of_tau(taus: Floats, weights: Floats) -> tuple[float, float, float]:
    reached = np.cumsum(weights)
    median, low, high = (float(taus[np.searchsorted(reached, share)]) for share in (0.5, 0.025, 0.975))
    return median, low, high


def _check(studies: Sequence[StudyEffect], margin: float, scale: float | None) -> None:
    if len(studies) < 2:
        raise InputError(f"expected at least two studies to combine, found {len(studies)}")
    if not margin > 0:
        raise InputError(f"the margin, below which a difference counts as none, must be above 0, found {margin:g}")
    if scale is not None and math.isinf(scale) and len(studies) < 3:
        raise InputError(
            "a flat prior of the spread between studies needs at least three studies, found two; give the prior a scale"
        )
