"""How a metric is read: its title, its unit on the page, and which way is better; what the metric itself says."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from mrfusion.errors import SpecError
from mrfusion.families import module_of

_TITLES = {"dice": "Dice", "hd95": "HD95", "nsd": "NSD", "iou": "IoU", "auc": "AUC", "f1": "F1"}
DASH = "–"
MINUS = "−"


@dataclass(frozen=True)
class Metric:
    """A metric on the page; ``scale`` turns a stored value into the page's unit (a share of 1 becomes points)."""

    name: str
    title: str
    unit: str
    scale: float
    better: Literal["higher", "lower", "neither"]

    @property
    def ranks(self) -> bool:
        """Whether arms can be ranked by it (a volume is neither good nor bad)."""
        return self.better != "neither"

    @property
    def heading(self) -> str:
        """Title, unit and direction, as the head of a column."""
        return f"{self.title}, {self.unit} ({self.better} is better)"

    def text(self, value: float) -> str:
        """A value in the page's unit with one digit; a dash where there is none."""
        return DASH if math.isnan(value) else f"{value * self.scale:.1f}".replace("-", MINUS)

    def difference(self, value: float) -> str:
        """A difference with its sign; one that rounds to nothing is ±0.0."""
        if math.isnan(value):
            return DASH
        text = f"{value * self.scale:+.1f}"
        return "±0.0" if float(text) == 0 else text.replace("-", MINUS)

    def range(self, low: float, high: float) -> str:
        """An interval, ``79.1 to 85.0``; a dash where there is none."""
        return DASH if math.isnan(low) else f"{self.text(low)} to {self.text(high)}"

    def merit(self, value: float) -> float:
        """A number to sort by, best last; a missing value is worst."""
        if math.isnan(value):
            return -math.inf
        return -value if self.better == "lower" else value


@cache
def metric_named(text: str, family: str = "metrics") -> Metric:
    """The metric with this text; one that is not installed here (someone's own) is shown but never ranks."""
    if text == "correct":  # of a classification's single case; its mean is the accuracy
        return Metric(text, "Accuracy", "points", scale=100.0, better="higher")
    about = _about(text, family) or _about(text, "class_metrics")
    if about is None:
        return Metric(text, _title(text), "as stored", scale=1.0, better="neither")
    share = about.unit in ("1", "")
    return Metric(text, _title(text), "points" if share else about.unit, 100.0 if share else 1.0, about.better)


def _about(text: str, family: str) -> Any:
    """What the metric says of itself; None where the family has none of that name."""
    try:
        return module_of(family, text).ABOUT
    except (SpecError, AttributeError):
        return None


def _title(text: str) -> str:
    name, parenthesis, arguments = text.partition("(")
    words = [_TITLES.get(word, word) for word in name.split("_")]
    title = " ".join(words)
    return title[0].upper() + title[1:] + (f" {parenthesis}{arguments}" if arguments else "")
