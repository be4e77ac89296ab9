"""What would decide an undecided comparison: more patients or more seeds, by simulating the study to come.

The simulated studies have the effect that was seen and the variances of patients, runs and noise estimated from it.
Each draws its mean and its standard error; it decides when the verdict is any but undecided. Reported is the smallest
study that decides in 80 % of the simulations. The effect is taken as it was seen, so this is a plan, not a promise.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mrfusion.comparison.bootstrap import Differences, Spread, spread
from mrfusion.comparison.verdict import ALPHA

POWER = 0.8
SIMULATIONS = 4000
MOST_PATIENTS = 50  # times as many as there are
MOST_SEEDS = 20


@dataclass(frozen=True)
class Advice:
    """How many more patients, or seeds, would decide; None where no number up to the limit does."""

    patients: int | None
    seeds: int | None

    def __str__(self) -> str:
        patients = f"about {self.patients} more patients" if self.patients else ""
        seeds = f"about {self.seeds} more seed{'s' if self.seeds != 1 else ''}" if self.seeds else ""
        if patients or seeds:
            return " or ".join(text for text in (patients, seeds) if text) + " would decide"
        return f"neither {MOST_PATIENTS} times as many patients nor {MOST_SEEDS} more seeds alone would decide"


@dataclass(frozen=True)
class Design:
    """The size of a study, and how often its p-value counts under Holm (1 for a single comparison)."""

    patients: int
    folds: int
    seeds: int
    times: float = 1.0


def advise(data: Differences, margin: float, times: float) -> Advice:
    """More patients with the seeds there are, or more seeds with the patients there are; see :class:`Advice`."""
    seen = spread(data)
    now = Design(len(data.folds), len(set(data.folds)), data.values.shape[1], times)
    patients = next(
        (n for n in _growing(now.patients) if power(data.effect, seen, margin, _with(now, patients=n)) >= POWER), None
    )
    # a single seed leaves the spread between seeds unknown
    tried = range(now.seeds + 1, now.seeds + MOST_SEEDS + 1) if now.seeds > 1 else ()
    seeds = next((s for s in tried if power(data.effect, seen, margin, _with(now, seeds=s)) >= POWER), None)
    return Advice(patients and patients - now.patients, seeds and seeds - now.seeds)


def power(effect: float, seen: Spread, margin: float, design: Design) -> float:
    """The share of simulated studies of this design that decide."""
    rng = np.random.default_rng(0)
    own = (seen.patient + seen.noise / design.seeds) / design.patients
    shared = seen.run / (design.folds * design.seeds)
    freedom = (design.patients - 1, design.folds * max(1, design.seeds - 1))
    means = rng.normal(effect, math.sqrt(own + shared), SIMULATIONS)
    parts = [v * rng.chisquare(f, SIMULATIONS) / f for v, f in zip((own, shared), freedom, strict=True)]
    return float(_decided(means, np.sqrt(parts[0] + parts[1]), freedom[0], (margin, design.times)).mean())


def _decided(
    means: npt.NDArray[np.float64], errors: npt.NDArray[np.float64], freedom: int, rule: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    margin, times = rule
    reach = stats.t.ppf(1 - ALPHA / 2, freedom) * errors
    strict = stats.t.ppf(1 - ALPHA / 2 / times, freedom) * errors
    return np.asarray((np.abs(means) > strict) | (np.abs(means) + reach < margin))


def _growing(patients: int) -> list[int]:
    """Numbers of patients to try, each about a tenth above the last."""
    steps = range(1, math.ceil(math.log(MOST_PATIENTS, 1.1)) + 1)
    return sorted({max(patients + k, math.ceil(patients * 1.1**k)) for k in steps})


def _with(design: Design, *, patients: int = 0, seeds: int = 0) -> Design:
    return Design(patients or design.patients, design.folds, seeds or design.seeds, design.times)
