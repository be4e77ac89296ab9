"""What would decide an undecided comparison: more patients, more seeds or more folds, with the interval's own variance.

The study to come has the effect that was seen, and the variances that the interval of this one was made of: what
patients add falls with their number, what runs add with the number of seeds, and what training sets add stays with the
folds. Reported is the smallest study that decides with 80 % power. The effect is taken as it was seen, so this is a
plan, not a promise.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from mrfusion.comparison.interval import Differences, Moments
from mrfusion.comparison.stats import student
from mrfusion.comparison.verdict import ALPHA

POWER = 0.8
MOST_PATIENTS = 50  # times as many as there are
MOST_SEEDS = 20
FOLDS = (5, 10)
Numbers = Any  # a float or an array of floats, one a study


@dataclass(frozen=True)
class Design:
    """The size of a study, and how often its p-value counts under Holm and over looks (1 for a single comparison)."""

    patients: int
    folds: int
    seeds: int
    times: float = 1.0


@dataclass(frozen=True)
class Seen:
    """The variances of single draws that a study was judged by; numbers, or arrays of many studies.

    ``patient`` is of a patient's difference in the mean over ``seeds`` seeds, ``run`` of a fold's mean from seed to
    seed, ``training`` what all seeds of a fold share, never below 0; ``run`` is 0 with one seed, whose variance is then
    part of ``training``.
    """

    patient: Numbers
    run: Numbers
    training: Numbers


@dataclass(frozen=True)
class Advice:
    """How many more patients, more seeds or how many folds in all would decide; None where no number tried does."""

    patients: int | None = None
    seeds: int | None = None
    folds: int | None = None

    def __str__(self) -> str:
        patients = f"about {self.patients} more patient{'s' if self.patients != 1 else ''}" if self.patients else ""
        seeds = f"about {self.seeds} more seed{'s' if self.seeds != 1 else ''}" if self.seeds else ""
        folds = f"{self.folds} folds" if self.folds else ""
        ways = [text for text in (patients, seeds, folds) if text]
        if ways:
            return " or ".join(ways) + " would decide, if the effect is as it was seen"
        return f"neither {MOST_PATIENTS} times as many patients nor {MOST_SEEDS} more seeds alone would decide"


def seen(design: Design, found: Moments) -> Seen:
    """The variances behind the moments of a study of this design."""
    patient = found.patients.value * design.patients
    run = found.runs.value * design.folds * design.seeds if found.runs else np.zeros_like(patient)
    if found.folds is None:
        return Seen(patient, run, np.zeros_like(patient))
    rest = found.folds.value - patient / design.patients - run / (design.folds * design.seeds)
    return Seen(patient, run, np.maximum(0.0, rest * design.folds))


def design_of(data: Differences, times: float = 1.0) -> Design:
    """The design that differences come from; where folds have different numbers of seeds, the most."""
    return Design(len(data.folds), len(set(data.folds)), data.values.shape[-1], times)


def advise(data: Differences, found: Moments, margin: float, times: float) -> Advice:
    """More patients, more seeds or more folds, each with the rest as it is; see :class:`Advice`."""
    now = design_of(data, times)
    variances = seen(now, found)

    def decides(design: Design) -> bool:
        return bool(power(found.effect, variances, margin, design) >= POWER)

    patients = next((n for n in _growing(now.patients) if decides(replace(now, patients=n))), None)
    tried = range(now.seeds + 1, now.seeds + MOST_SEEDS + 1) if now.seeds > 1 else ()
    seeds = next((s for s in tried if decides(replace(now, seeds=s))), None)
    more = [k for k in FOLDS if now.folds < k <= now.patients // 2]
    folds = next((k for k in more if decides(replace(now, folds=k))), None)
    return Advice(patients and patients - now.patients, seeds and seeds - now.seeds, folds)


def power(effect: Numbers, variances: Seen, margin: float, design: Design) -> Numbers:
    """The chance that a study of this design decides, its error being what the variances say."""
    different, equal = (half_width(variances, design, level) for level in (ALPHA, 2 * ALPHA))
    return chance(effect, np.sqrt(_variance(variances, design)), different, margin - equal)


def chance(effect: Numbers, error: Numbers, different: Numbers, equal: Numbers) -> Numbers:
    """The chance that an estimate around ``effect`` lands beyond +-``different``, or within +-``equal``.

    Both limits are in the unit of the effect; ``error`` is the estimate's standard error, which may be 0.
    """
    error = np.maximum(error, 1e-300)
    beyond = special.ndtr((effect - different) / error) + special.ndtr((-effect - different) / error)
    equal = np.maximum(equal, 0.0)
    inside = special.ndtr((equal - effect) / error) - special.ndtr((-equal - effect) / error)
    return np.minimum(1.0, beyond + inside)


def _variance(seen: Seen, design: Design) -> Numbers:
    return seen.patient / design.patients + (seen.training + seen.run / design.seeds) / design.folds


def half_width(seen: Seen, design: Design, level: float) -> Numbers:
    """Half of the interval that a study of this design would be judged by, see :mod:`mrfusion.comparison.interval`."""
    level /= design.times
    patients = student(level, design.patients - 1) ** 2 * seen.patient / design.patients
    freedom = design.folds * (design.seeds - 1)
    runs = student(level, freedom) ** 2 * seen.run / (design.folds * design.seeds) if freedom else 0.0
    here = np.sqrt(patients + runs)
    if design.folds == 1:
        return here
    return np.maximum(here, student(level, design.folds - 1) * np.sqrt(_variance(seen, design)))


def _growing(patients: int) -> list[int]:
    """Numbers of patients to try, each about a tenth above the last."""
    steps = range(1, math.ceil(math.log(MOST_PATIENTS, 1.1)) + 1)
    return sorted({max(patients + k, math.ceil(patients * 1.1**k)) for k in steps})
