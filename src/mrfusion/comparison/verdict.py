"""The verdict on one effect: helps, hurts, equivalent or undecided, by its interval, its test and the margin."""

import math
from dataclasses import dataclass
from typing import Literal

from mrfusion.comparison.bootstrap import Interval
from mrfusion.errors import SpecError
from mrfusion.families import module_of

ALPHA = 0.05
MARGINS = {"1": 0.01, "": 0.01, "mm": 2.0}  # by the metric's unit: one point of a share, two millimetres
Word = Literal["helps", "helps, negligibly", "hurts", "hurts, negligibly", "equivalent", "undecided"]


@dataclass(frozen=True)
class Yardstick:
    """How a difference of a metric is read: 1 where higher is better, -1 where lower is; and what is negligible.

    ``margin`` is in the metric's unit; NaN where none was declared and none is usual: then nothing is equivalent.
    ``span`` is the largest difference that the metric's range leaves room for; no interval is wider.
    """

    metric: str
    sign: int
    margin: float
    span: float = math.inf


def yardstick(metric: str, margin: float | None = None) -> Yardstick | None:
    """The yardstick of a metric by its text; None for one that is neither better high nor low, or not known here."""
    if metric == "correct":  # of a classification's single case; its mean is the accuracy
        return Yardstick(metric, 1, 0.01 if margin is None else margin, 1.0)
    try:
        about = module_of("metrics", metric).ABOUT
    except (SpecError, AttributeError):
        return None
    sign = {"higher": 1, "lower": -1}.get(about.better)
    usual = MARGINS.get(about.unit, math.nan)
    low, high = about.range
    return None if sign is None else Yardstick(metric, sign, usual if margin is None else margin, high - low)


def judge(interval: Interval, p_holm: float, measure: Yardstick) -> Word:
    """The verdict; an effect that is there but lies within the margin is named negligible.

    helps: the interval lies on the better side of 0 and p_holm < 0.05; hurts: on the worse side, likewise;
    equivalent: it lies within the margin; else undecided. NaN anywhere decides nothing.
    """
    small = interval.within(measure.margin)
    one_sided = interval.low > 0 or interval.high < 0
    if one_sided and p_holm < ALPHA:
        helps = (interval.low > 0) == (measure.sign > 0)
        if small:
            return "helps, negligibly" if helps else "hurts, negligibly"
        return "helps" if helps else "hurts"
    return "equivalent" if small else "undecided"
