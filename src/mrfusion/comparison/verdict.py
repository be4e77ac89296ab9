"""The verdict on one effect: helps, hurts, equivalent or undecided, by two corrected p-values and the sign."""

import math
from dataclasses import dataclass
from typing import Any, Literal

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

    @property
    def is_share(self) -> bool:
        """Whether scores run from 0, nothing right, to 1, everything right."""
        return self.sign == 1 and self.span == 1.0


def yardstick(metric: str, margin: float | None = None) -> Yardstick | None:
    """The yardstick of a metric by its text; None for one that is neither better high nor low, or not known here."""
    if metric == "correct":  # of a classification's single case; its mean is the accuracy
        return Yardstick(metric, 1, 0.01 if margin is None else margin, 1.0)
    known = about(metric)
    if known is None:
        return None
    sign = {"higher": 1, "lower": -1}.get(known.better)
    usual = MARGINS.get(known.unit, math.nan)
    low, high = known.range
    return None if sign is None else Yardstick(metric, sign, usual if margin is None else margin, high - low)


def about(metric: str) -> Any:
    """What a metric of masks or of classes says of itself; None for one that neither family has."""
    for family in ("metrics", "class_metrics"):
        try:
            return module_of(family, metric).ABOUT
        except (SpecError, AttributeError):
            continue
    return None


def within_range(metric: str, low: float, high: float) -> tuple[float, float]:
    """An interval of a metric's mean without what no mean of it can be, such as a Dice above 1; NaN stays NaN."""
    known = about(metric)
    least, most = (-math.inf, math.inf) if known is None else known.range
    return max(low, least), min(high, most)  # in this order NaN, which is not below anything, is kept


def judge(effect: float, p: float, p_equivalent: float, sign: int) -> Word:
    """The verdict from the corrected p-values of a difference and of equivalence; NaN decides nothing.

    helps: p < 0.05 and the effect is on the better side; hurts: on the worse side; equivalent: both one-sided tests
    against the margin say so at 0.05. A difference that is there and equivalent at once is named negligible.
    """
    small = p_equivalent < ALPHA
    if p < ALPHA:
        if (effect > 0) == (sign > 0):
            return "helps, negligibly" if small else "helps"
        return "hurts, negligibly" if small else "hurts"
    return "equivalent" if small else "undecided"
