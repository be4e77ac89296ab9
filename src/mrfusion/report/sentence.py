"""A comparison in words: the verdict, the effect with its interval, what it rests on, and on what terms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import Comparison, main_region
from mrfusion.report.caution import opening
from mrfusion.report.metric import DASH, Metric, metric_named
from mrfusion.report.wording import several
from mrfusion.study.load import LoadedStudy

SIGNS = {"helps": "▲", "hurts": "▼", "equivalent": "=", "undecided": "?"}  # beside the word, never instead of it


@dataclass(frozen=True)
class Sentence:
    """One verdict in words: ``opening`` ``arm`` ``verdict`` ``rest``; what stands before ``rest`` must not be missed.

    ``opening`` is empty, or says what speaks against any word: trainings that have not converged, one parent of all
    trainings, a comparison that was not planned.
    """

    arm: str
    verdict: str
    rest: str
    opening: str = ""

    def __str__(self) -> str:
        return f"{self.opening}{self.arm} {self.verdict} {self.rest}."


def leading(study: LoadedStudy) -> list[Comparison]:
    """The comparisons that answer the question: first metric, mean over regions (or the only one), best first."""
    rows = [c for c in study.comparisons if study.metrics and c.metric == study.metrics[0]]
    place = main_region(rows)
    return sorted((c for c in rows if c.region == place), key=lambda c: c.sign * c.effect, reverse=True)


def sentence(study: LoadedStudy, row: Comparison) -> Sentence:
    """``separate helps over concat by 1.8 Dice points in the mean over regions (95 % CI 0.9 to 2.7; 40 ...)``."""
    return replace(_verdict(study, row), opening=opening(study, row))


def _verdict(study: LoadedStudy, row: Comparison) -> Sentence:
    metric = metric_named(row.metric)
    amount = f"{metric.text(abs(row.effect))} {unit(metric)}"
    place = " in the mean over regions" if row.region == MEAN else f" in {row.region}" if row.region != "*" else ""
    if row.verdict == "undecided":
        return Sentence(
            row.arm, "is undecided", f"against {row.reference}: {metric.difference(row.effect)} {unit(metric)}{place} "
            f"({evidence(study, row)}); {_why(study, row)}",
        )  # fmt: skip
    if row.verdict == "equivalent":
        return Sentence(
            row.arm, "is equivalent", f"to {row.reference} within {metric.text(row.margin)} {unit(metric)}{place}: "
            f"{metric.difference(row.effect)} ({evidence(study, row)})",
        )  # fmt: skip
    word, _, little = row.verdict.partition(", ")
    small = f", {little}" if little else ""
    link = "over" if word == "helps" else "against"
    return Sentence(row.arm, word + small, f"{link} {row.reference} by {amount}{place} ({evidence(study, row)})")


def _why(study: LoadedStudy, row: Comparison) -> str:
    """Why nothing is decided, what holds for these trainings, what a search placed, and what would decide."""
    here = row.for_these_trainings
    seen = [] if here == "undecided" else [f"for these trainings it {'is ' if here == 'equivalent' else ''}{here}"]
    return "; ".join([*seen, *_not_placed(study, row.arm), *row.reasons, *([row.advice] if row.advice else [])])


def _not_placed(study: LoadedStudy, arm: str) -> list[str]:
    """In how many runs the arm is the network that its search began with; empty where it is in none."""
    searches = [search for search in study.searches if search.arm == arm and not search.ensemble]
    answers = [search.places for search in searches if search.places is not None]
    kept = sum(not places for places in answers)
    return [f"in {kept} of {several(len(answers), 'run')} its search placed no module"] if kept else []


def evidence(study: LoadedStudy, row: Comparison) -> str:
    """``95 % CI 0.9 to 2.7; 40 patients, 3 seeds, 5 folds; equal epochs``; an interim look says so."""
    metric = metric_named(row.metric)
    interval = metric.range(row.ci_low, row.ci_high)
    terms = str(study.fairness.terms[row.arm])
    if study.fairness.unknown & {row.arm, row.reference}:
        terms = "training terms and seeds not known"
    basis = ", ".join((several(row.patients, "patient"), several(row.seeds, "seed"), several(row.folds, "fold")))
    scope = " for these trainings" if row.scope == "these trainings" else ""
    shown = [f"95 % CI{scope} {interval}"] if interval != DASH else []
    return "; ".join([*shown, basis, *(["interim"] if row.interim else []), terms])


def unit(metric: Metric) -> str:
    """``Dice points``, ``mm HD95``."""
    return f"{metric.title} {metric.unit}" if metric.unit.startswith("point") else f"{metric.unit} {metric.title}"


def p_value(value: float) -> str:
    """``< 0.001``, ``0.032``; a dash where nothing was tested."""
    if value != value:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def of_metric(study: LoadedStudy, metric: str) -> Sequence[Comparison]:
    """The comparisons of a metric in the order of the arms, the mean over regions first."""
    arms = [arm.name for arm in study.arms]
    rows = [c for c in study.comparisons if c.metric == metric]
    return sorted(rows, key=lambda c: (arms.index(c.arm), c.region != MEAN))
