"""The contract of a class metric: a function of votes, and an ABOUT.

    def kappa(votes: Votes) -> dict[str, Value]

The keys are ``"*"`` for the cohort and the names of the classes, for a metric that exists for one class against the
rest. The cohort's value of such a metric is the plain mean over *all* classes (macro), and exists only if every
class's value does: a fold that lacks a class has no macro value, and the reason names the class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.result import Value

IN_FILE = "metrics: [CHOICE]"  # how a choice is written; `mrfusion list` shows it


@dataclass(frozen=True)
class About:
    """What a metric's numbers mean: unit (empty for a pure number), range, direction, and where none exists."""

    unit: str
    range: tuple[float, float]
    better: Literal["higher", "lower"]
    undefined: str


ABSENT = "for a class that does not occur among the targets, and so for the mean over classes in such a fold"


def each_class(votes: Votes, value_of: Callable[[int], Value]) -> dict[str, Value]:
    """The value of each class that occurs among the targets, undefined for the others, and their mean."""
    values = {
        name: value_of(k) if votes.occurring[k] else Value.undefined(f"no case belongs to class {name!r}")
        for k, name in enumerate(votes.classes)
    }
    return {ALL: mean_over_classes(list(values.values())), **values}


def mean_over_classes(values: list[Value]) -> Value:
    """The plain mean; undefined if one value is, penalised if one is, with all the reasons."""
    reasons = "; ".join(dict.fromkeys(v.reason for v in values if v.reason))
    if any(v.status == "undefined" for v in values):
        return Value.undefined(reasons)
    mean = float(np.mean([v.value for v in values]))
    return Value(mean, "penalised" if any(v.status == "penalised" for v in values) else "scored", reasons)
