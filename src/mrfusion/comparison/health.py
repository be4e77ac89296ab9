"""Whether a training went well enough for its scores to be compared: from its history, its scores and what it cost.

A verdict between networks that have not converged says which of them learns faster, not which of them is better. What
is looked for, of the last phase of a training (the one whose best epoch is kept) where phases follow one another:

* a loss or validation score that is not finite;
* fewer than :data:`FEWEST_STEPS` optimiser steps: with Adam no weight moves farther than the learning rate in one
  step, so in 100 steps of the usual 0.001 no farther than 0.1, about the size that the weights of a 3 x 3 convolution
  begin with (He et al. 2015: a standard deviation of 0.08 for 32 channels);
* fewer than :data:`FEWEST_EPOCHS` epochs, which show no curve;
* a validation score that still rises: its best in the last quarter of the epochs is above its best before by more than
  :data:`STILL_RISING` of all that it gained (a score that approaches its end as exp(-4 t / T) gains 3 % in that
  quarter, one that rises evenly 25 %);
* a best epoch that is the last, above all others by more than :data:`LAST_GAIN` of all that the score gained;
* a region, or a class, that some test case has and no prediction holds.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mrfusion.result import ScoreRow

FEWEST_STEPS, FEWEST_EPOCHS = 100, 4
STILL_RISING, LAST_GAIN = 0.10, 0.01
Kind = Literal["loss", "steps", "epochs", "rising", "last", "unpredicted"]
Rows = Iterable[tuple[int, str, float]]


@dataclass(frozen=True)
class Concern:
    """One thing that is wrong with a training: its kind, a clause that is the same in every run, and its amount."""

    kind: Kind
    text: str
    amount: str = ""

    def __str__(self) -> str:
        return f"{self.text}, {self.amount}" if self.amount else self.text


@dataclass(frozen=True)
class Health:
    """What is wrong with one run; nothing is wrong where ``concerns`` is empty."""

    concerns: tuple[Concern, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether nothing is wrong."""
        return not self.concerns


@dataclass(frozen=True)
class ArmHealth:
    """The runs of one arm together: how many there are, how many have concerns, and the concerns in words.

    Each concern is said once, with the number of runs that have it where not all of the unwell ones do.
    """

    arm: str
    runs: int
    unwell: int = 0
    concerns: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether no run has a concern."""
        return not self.unwell

    def __str__(self) -> str:
        """``2 of 6 runs: the validation score still rises``."""
        return f"{self.unwell} of {self.runs} run{'s' if self.runs != 1 else ''}: {'; '.join(self.concerns)}"


def health(history: Rows, scores: Sequence[ScoreRow], environment: Mapping[str, Any]) -> Health:
    """The health of one finished run; ``history`` as (epoch, quantity, value), ``scores`` of its test cases.

    A run that trained nothing, because it took over finished weights, is asked for its predictions only.
    """
    rows = list(history)
    trained = any(quantity == "seconds" for _, quantity, _ in rows)
    curve = _curve(rows)
    found = [*_losses(rows), *_unpredicted(scores)]
    if trained:
        found += [*_steps(environment), *_epochs(curve), *_rising(curve)]
    return Health(tuple(found))


def arm_health(arm: str, runs: Sequence[Health]) -> ArmHealth:
    """What is wrong with the runs of one arm."""
    texts = Counter(concern.text for run in runs for concern in run.concerns)
    unwell = sum(not run.converged for run in runs)
    said = tuple(text if count == unwell else f"{text} (in {count} of them)" for text, count in texts.items())
    return ArmHealth(arm, len(runs), unwell, said)


def _curve(rows: Rows) -> list[float]:
    """The validation scores of the epochs of the last phase, in their order; epoch 0 precedes every training."""
    given = list(rows)
    phases = {epoch: value for epoch, quantity, value in given if quantity == "phase"}
    last = max(phases.values(), default=0.0)
    return [v for epoch, quantity, v in given if quantity == "val/score" and epoch and phases.get(epoch, last) == last]


def _losses(rows: Rows) -> Iterable[Concern]:
    bad = [
        epoch for epoch, quantity, value in rows if quantity.startswith(("train/", "val/")) and not math.isfinite(value)
    ]
    if bad:
        yield Concern("loss", "a loss or score is not finite", f"first in epoch {bad[0]}")


def _steps(environment: Mapping[str, Any]) -> Iterable[Concern]:
    steps = environment.get("steps")
    if isinstance(steps, int | float) and steps < FEWEST_STEPS:
        yield Concern("steps", f"fewer than {FEWEST_STEPS} optimiser steps", f"{steps:g}")


def _epochs(curve: Sequence[float]) -> Iterable[Concern]:
    if len(curve) < FEWEST_EPOCHS:
        yield Concern("epochs", f"fewer than {FEWEST_EPOCHS} epochs, which show no curve", f"{len(curve)}")


def _rising(curve: Sequence[float]) -> Iterable[Concern]:
    if len(curve) < FEWEST_EPOCHS or not all(map(math.isfinite, curve)):
        return
    late = -(-len(curve) // 4)  # the last quarter, at least one epoch
    best, before = max(curve), max(curve[:-late])
    gained = best - curve[0]
    if best - before > STILL_RISING * gained:
        share = (best - before) / gained
        yield Concern("rising", "the validation score still rises", f"{share:.0%} of its gain is of the last quarter")
    elif curve[-1] - max(curve[:-1]) > LAST_GAIN * gained:
        yield Concern("last", "the best epoch is the last")


def _unpredicted(scores: Sequence[ScoreRow]) -> Iterable[Concern]:
    """Regions by the predicted volume where it was measured, else by a Dice of 0 throughout; classes by their votes."""
    regions = dict.fromkeys(row.region for row in scores if row.in_target and row.metric in ("dice", "volume_mm3"))
    measured = {row.region for row in scores if row.metric == "volume_mm3"}
    never = [region for region in regions if _all_zero(scores, region, measured)]
    for name in (*never, *_never_voted(scores)):
        yield Concern("unpredicted", f"{name} is never predicted")


def _all_zero(scores: Sequence[ScoreRow], region: str, measured: set[str]) -> bool:
    metric = "volume_mm3" if region in measured else "dice"
    values = [row.value for row in scores if row.region == region and row.metric == metric and row.in_target]
    return bool(values) and all(value == 0 for value in values)


def _never_voted(scores: Sequence[ScoreRow]) -> list[str]:
    """Classes that are never the most probable one."""
    votes: dict[str, dict[str, float]] = defaultdict(dict)
    for row in scores:
        if row.metric == "probability":
            votes[row.case][row.region] = row.value
    voted = {max(each, key=each.__getitem__) for each in votes.values()}
    classes = dict.fromkeys(name for each in votes.values() for name in each)
    return [name for name in classes if name not in voted]
