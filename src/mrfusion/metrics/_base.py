"""The contract of a metric: a function of one MaskPair, and ABOUT, which says as data what its number means.

A metric's function is written for two masks that both hold something. What it gives where one is empty stands in
its ABOUT, so the table in the documentation, the tests and the numbers have one source.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

IN_FILE = "metrics: ['CHOICE']"  # how a choice is written; `mrfusion list` shows it

MEASURED: Literal["measured"] = "measured"  # the formula holds for an empty mask too
PENALTY: Literal["penalty"] = "penalty"  # the rule's distance for a surface that is not there
UNDEFINED: Literal["undefined"] = "undefined"  # no value exists: NaN, out of every mean, counted beside it

Answer = float | Value | Literal["measured", "penalty", "undefined"]
Metric = Callable[..., Value]  # (pair, **the metric's own arguments)


@dataclass(frozen=True)
class About:
    """What a metric's number means; ``both_empty`` and the two after it say what it is where a mask is empty."""

    unit: str
    range: tuple[float, float]
    better: Literal["higher", "lower", "neither"]
    both_empty: Answer
    prediction_empty: Answer
    target_empty: Answer
    note: str = ""

    def answer(self, pair: MaskPair) -> tuple[Answer, str]:
        """What this metric says of the pair and why: ``measured`` unless a mask is empty and the answer is set."""
        if pair.predicted and pair.targeted:
            if pair.rule.needs_overlap and self.target_empty == PENALTY and not pair.both:
                return PENALTY, "the masks have no voxel in common"
            return MEASURED, ""
        if pair.predicted:
            return self.target_empty, "the target is empty"
        if pair.targeted:
            return self.prediction_empty, "the prediction is empty"
        return self.both_empty, "both masks are empty"


def metric(about: About) -> Callable[[Callable[..., Any]], Metric]:
    """Make a metric of a function of two non-empty masks: answer for the empty ones as ``about`` says."""

    def decorate(measure: Callable[..., Any]) -> Metric:
        @functools.wraps(measure)
        def read(pair: MaskPair, *args: Any, **kwargs: Any) -> Value:
            answer, why = about.answer(pair)
            if answer == MEASURED:
                answer = measure(pair, *args, **kwargs)
            elif answer == PENALTY:
                answer = Value(pair.penalty_mm, "penalised", why)
            elif answer == UNDEFINED:
                answer = Value.undefined(why)
            return answer if isinstance(answer, Value) else Value(float(answer))

        return read

    return decorate
