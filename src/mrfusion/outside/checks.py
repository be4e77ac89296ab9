"""What scores from outside must hold: each score once, numbers that can be, a metric that says which arm is better."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence

from mrfusion.comparison.compare import Comparison
from mrfusion.comparison.verdict import about, yardstick
from mrfusion.errors import InputError, Note, nearest
from mrfusion.result import CONTRADICTORY, ScoreRow

ROUNDING = 1e-6  # a share of 1.0000001 was rounded, one of 85 is a percentage


def check_rows(rows: Sequence[ScoreRow]) -> None:
    """InputError where there is no score, or one stands there twice, or lies outside of its metric's range."""
    if not rows:
        raise InputError("expected scores to compare, found none: the tables have no rows")
    seen = set()
    for row in rows:
        place = (row.arm, row.case, row.fold, row.seed, row.region, row.metric)
        if place in seen:
            raise InputError(
                f"case {row.case}: {row.arm} has two values of {row.metric} in {row.region} (fold {row.fold}, seed "
                f"{row.seed}); remove one, or tell runs apart by a column seed or a table for each"
            )
        seen.add(place)
    ranges = {metric: found.range for metric in {row.metric for row in rows} if (found := about(metric)) is not None}
    for row in rows:
        low, high = ranges.get(row.metric, (-math.inf, math.inf))
        if math.isfinite(row.value) and not low - ROUNDING <= row.value <= high + ROUNDING:
            percent = "; divide percentages by 100" if (low, high) == (0, 1) and 1 < row.value <= 100 else ""
            raise InputError(
                f"case {row.case}: {row.arm} has {row.metric} = {row.value:g} in {row.region}, and it lies between "
                f"{low:g} and {high:g}{percent}"
            )


def check_margins(rows: Iterable[ScoreRow], margins: Mapping[str, float]) -> None:
    """InputError for the margin of a metric that the table does not hold."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    for metric in margins:
        if metric not in metrics:
            raise InputError(f"the scores hold no metric {metric!r} for its margin; {nearest(metric, metrics)}")


def tell_unranked(rows: Sequence[ScoreRow], found: Sequence[Comparison], reference: str) -> None:
    """A note on metrics that nothing is known of; InputError where nothing at all could be compared."""
    metrics = list(dict.fromkeys(row.metric for row in rows if row.metric != CONTRADICTORY))
    unknown = [metric for metric in metrics if metric != "correct" and about(metric) is None]
    if not any(yardstick(metric) for metric in metrics):
        raise InputError(
            f"expected a metric that says which arm is better, such as dice or hd95, found {', '.join(metrics[:8])}; "
            "'mrfusion list metrics' has all of them"
        )
    if not found:
        raise InputError(
            f"expected cases with a number for {reference} and for another arm, found none in any region and metric"
        )
    if unknown:
        warnings.warn(
            f"{', '.join(unknown[:8])}: mrfusion does not know whether more is better, so nothing is said of "
            f"{'them' if len(unknown) > 1 else 'it'}; 'mrfusion list metrics' has the names that it knows",
            Note,
            stacklevel=3,
        )
