"""Numbers as a reader likes them: durations, counts, memory, settings."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.pairs import ALL
from mrfusion.report.metric import DASH


def duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``1 h 12 min``; a dash where it is not known."""
    if math.isnan(seconds):
        return DASH
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count(number: float) -> str:
    """A number of things with three digits and a letter: ``482 k``, ``1.21 M``; a dash where it is not known."""
    if math.isnan(number):
        return DASH
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            return f"{float(f'{number / size:.3g}'):g} {letter}"
    return f"{number:g}"


def several(number: int, thing: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def ratio(value: float, reference: float) -> str:
    """``1.32×`` of the reference, ``equal`` within half a percent; a dash where either is not known or zero."""
    if math.isnan(value) or math.isnan(reference) or reference == 0:
        return DASH
    return "equal" if abs(value / reference - 1) <= 0.005 else f"{value / reference:.2f}×"


def settings(changes: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """What an arm changes, ``plan=separate, budget.epochs=5``; an arm without changes is the base, if there is one."""
    return ", ".join(f"{key}={value}" for key, value in _flat(changes)) or ("base" if base else "")


def _flat(changes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else value


def region(name: str) -> str:
    """A region as the head of a column."""
    return {MEAN: "Mean of regions", ALL: "All"}.get(name, name)


def narrow_region(name: str) -> str:
    """The same where a column is narrow, as in the terminal."""
    return {MEAN: "mean", ALL: "all"}.get(name, name)


def number(value: Any) -> float:
    """A recorded number, NaN where nothing (or no number) was recorded."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)
