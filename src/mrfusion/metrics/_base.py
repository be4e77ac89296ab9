"""The contract of a metric: a function of one MaskPair, and ABOUT, which says as data what its number means.

A metric's function is written for two masks that both hold something. What it gives where one is empty stands in
its ABOUT, so the table in the documentation, the tests and the numbers have one source.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Status

MEASURED: Literal["measured"] = "measured"  # the formula holds for an empty mask too
PENALTY: Literal["penalty"] = "penalty"  # the rule's distance for a surface that is not there
UNDEFINED: Literal["undefined"] = "undefined"  # no value exists: NaN, out of every mean, counted beside it

Answer = float | Literal["measured", "penalty", "undefined"]
Metric = Callable[..., "Reading"]  # (pair, **the metric's own arguments)


@dataclass(frozen=True)
class Reading:
    """A metric's value and how it came about (see :class:`~mrfusion.result.CaseScore`)."""

    value: float
    status: Status = "scored"


@dataclass(frozen=True)
class About:
    """What a metric's number means; the last three fields say what it is where a mask is empty."""

    unit: str
    range: tuple[float, float]
    better: Literal["higher", "lower", "neither"]
    both_empty: Answer
    prediction_empty: Answer
    target_empty: Answer

    def answer(self, pair: MaskPair) -> Answer:
        """What this metric says of the pair: ``measured`` unless a mask is empty and a fixed answer is set."""
        if pair.predicted and pair.targeted:
            return MEASURED
        if pair.predicted:
            return self.target_empty
        return self.prediction_empty if pair.targeted else self.both_empty


def metric(about: About) -> Callable[[Callable[..., Any]], Metric]:
    """Make a metric of a function of two non-empty masks: answer for the empty ones as ``about`` says."""

    def decorate(measure: Callable[..., Any]) -> Metric:
        @functools.wraps(measure)
        def read(pair: MaskPair, *args: Any, **kwargs: Any) -> Reading:
            answer = about.answer(pair)
            if answer == MEASURED:
                value = measure(pair, *args, **kwargs)
                return value if isinstance(value, Reading) else Reading(float(value))
            if answer == PENALTY:
                return Reading(pair.penalty_mm, "penalised")
            return Reading(float("nan"), "undefined") if answer == UNDEFINED else Reading(float(answer))

        return read

    return decorate
