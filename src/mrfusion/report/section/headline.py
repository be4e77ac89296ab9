"""The first screen: the question, the verdict in a sentence, every arm against the reference, and what it cost."""

from dataclasses import dataclass

from mrfusion.comparison.aggregate import ArmMean
from mrfusion.comparison.compare import Comparison
from mrfusion.report.caution import of_other_rules, unfounded, words
from mrfusion.report.figure import colour
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.scale import Scale, scale_of
from mrfusion.report.sentence import SIGNS, Sentence, leading, sentence
from mrfusion.report.wording import number
from mrfusion.study.load import LoadedStudy


@dataclass(frozen=True)
class Row:
    """One arm of the forest plot."""

    comparison: Comparison
    mean: ArmMean
    word: str
    sign: str
    colour: str
    seconds: float
    parameters: float
    cautions: tuple[str, ...]


def section(study: LoadedStudy) -> Section:
    """Always there; without scores it says so, with a single arm it leaves the figure to the ranking."""
    rows = [_row(study, comparison) for comparison in leading(study)]
    metric = metric_named(study.metrics[0]) if study.metrics else None
    line = _line(rows)
    html = render(
        "section/headline.html",
        study=study,
        metric=metric,
        rows=rows,
        sentences=[sentence(study, row.comparison) for row in rows[: _in_full(rows)]],
        rest=_grouped([row.comparison for row in rows[_in_full(rows) :]], metric) if metric else [],
        first=rows[0].comparison if rows else None,
        place=line.place,
        low=line.low,
        high=line.high,
        ticks=[tick for tick in line.ticks if 2 <= line.place(tick) <= 98],
        reference=_reference(study, rows),
        facts=_facts(study),
        absent=[run for run in study.runs if run.state != "done"],
        unfounded=unfounded(study),
        other_rules=of_other_rules(study),
        unfair=study.fairness.violations,
        dropped=study.added.dropped if study.added else (),
    )
    return Section("answer", "Answer", html)


def _in_full(rows: list[Row]) -> int:
    """How many verdicts are whole sentences; more would push the figure off the first screen."""
    return 2 if len(rows) <= 3 else 1


def _row(study: LoadedStudy, comparison: Comparison) -> Row:
    place = [arm.name for arm in study.arms].index(comparison.arm)
    word = comparison.verdict.partition(",")[0]
    seconds, parameters = _cost(study, comparison.arm)
    return Row(
        comparison=comparison,
        mean=study.arm_means[comparison.arm, comparison.metric, comparison.region],
        word=word,
        sign=SIGNS[word],
        colour=colour(place),
        seconds=seconds,
        parameters=parameters,
        cautions=words(study, comparison),
    )


def _cost(study: LoadedStudy, arm: str) -> tuple[float, float]:
    costs = study.fairness.arms[arm].costs
    return costs["train_seconds"], costs["parameters"]


def _line(rows: list[Row]) -> Scale:
    """The number line: all intervals, zero, and a little more than the margin."""
    margins = [1.15 * sign * row.comparison.margin for row in rows for sign in (-1, 1)]
    ends = [v for row in rows for v in (row.comparison.ci_low, row.comparison.ci_high, row.comparison.effect)]
    return scale_of([0.0, *margins, *ends])


def _grouped(rows: list[Comparison], metric: Metric) -> list[Sentence]:
    """The arms that have no sentence of their own, by verdict."""
    words = dict.fromkeys(row.verdict for row in rows)
    alike = {word: [row for row in rows if row.verdict == word] for word in words}
    return [
        Sentence(word, "", ", ".join(f"{row.arm} ({metric.difference(row.effect)})" for row in found))
        for word, found in alike.items()
    ]


def _reference(study: LoadedStudy, rows: list[Row]) -> dict[str, object] | None:
    """The mean and cost of the arm that the others are compared with."""
    if not rows:
        return None
    first = rows[0].comparison
    seconds, parameters = _cost(study, study.reference)
    mean = study.arm_means[study.reference, first.metric, first.region].mean
    return {"mean": mean, "seconds": seconds, "parameters": parameters}


def _facts(study: LoadedStudy) -> dict[str, float]:
    done = study.done
    return {
        "patients": len({row.patient for row in study.scores}),
        "cases": len({row.case for row in study.scores}),
        "folds": len({run.fold for run in done}),
        "seeds": len({run.seed for run in done}),
        "done": len(done),
        "planned": len(study.runs),
        "seconds": sum(number(run.environment.get("train_seconds")) for run in study.trained),
    }
