"""The answer for the terminal: the verdicts, and the table of arms with their means over patients."""

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from mrfusion.comparison.aggregate import MEAN, ArmMean
from mrfusion.report.caution import of_other_rules, unfounded, words
from mrfusion.report.metric import DASH, Metric, metric_named
from mrfusion.report.sentence import SIGNS, leading, of_metric, p_value, sentence
from mrfusion.report.wording import narrow_region
from mrfusion.study.load import LoadedStudy

STYLES = {"helps": "bold blue", "hurts": "bold yellow", "equivalent": "bold", "undecided": "dim"}


def terminal_answer(study: LoadedStudy) -> RenderableType:
    """The table of arms, the verdicts by the first metric, and the verdicts in words."""
    if not study.comparisons:
        return terminal_table(study)
    said = [escape(str(sentence(study, row))) for row in leading(study)]
    return Group(terminal_table(study), verdict_table(study), *said, *_stopped(study), *_scored_otherwise(study), "")


def _scored_otherwise(study: LoadedStudy) -> list[str]:
    """The verdicts of the same trainings by each further scoring."""
    return [
        escape(f"scored otherwise ({name}): {sentence(found, row)}")
        for name, found in study.scorings.items()
        for row in leading(found)
    ]


def _stopped(study: LoadedStudy) -> list[str]:
    """Of a study that stops when it is decided: where each arm stands, and how many runs were saved."""
    if not study.stopping:
        return []
    arms = [f"{arm}: {reason}" for arm, reason in study.stopping["arms"].items()]
    saved = f"{study.stopping['saved']} of {study.stopping['total']} runs were saved by stopping"
    return [escape(line) for line in (*arms, saved)]


def verdict_table(study: LoadedStudy) -> Table:
    """Every arm against the reference in every region, by the first metric."""
    metric = metric_named(study.metrics[0])
    table = _table(f"against {study.reference}")
    for heading in ("arm", "region"):
        table.add_column(heading)
    for heading in ("difference", "95 % interval", "p (Holm)"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in of_metric(study, metric.name):
        word = row.verdict.partition(",")[0]
        table.add_row(
            escape(row.arm),
            escape(narrow_region(row.region)),
            metric.difference(row.effect),
            metric.range(row.ci_low, row.ci_high),
            p_value(row.p_holm),
            f"[{STYLES[word]}]{SIGNS[word]} {', '.join((row.verdict, *words(study, row)))}[/]",
        )
    return table


def terminal_table(study: LoadedStudy) -> Table:
    """The arms, best first, by the first metric; runs that are not there are said below the table."""
    metric = metric_named(study.metrics[0] if study.metrics else "dice")
    regions = [MEAN, *study.regions] if len(study.regions) > 1 else list(study.regions) or [MEAN]
    names, absent = _best_first(study, metric, regions[0]), len(study.runs) - len(study.done)
    patients = [str(m.patients) if (m := _mean(study, metric, name, regions[0])) else DASH for name in names]
    one_number = len(set(patients)) == 1
    table = _table(study.question)
    table.caption = (
        f"{metric.heading}, mean over {f'{patients[0]} ' if one_number else ''}patients"
        + (f"; {absent} of {len(study.runs)} runs absent" if absent else "")
        + "".join(f"\nnote: {escape(sentence)}" for sentence in (*unfounded(study), *of_other_rules(study)))
    )
    table.add_column("arm")
    for heading in (*map(narrow_region, regions), "95 % interval"):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    table.add_column(escape(f"vs {study.reference}"), justify="right")
    if not one_number:
        table.add_column("patients", justify="right")
    for name, number in zip(names, patients, strict=True):
        table.add_row(*_cells(study, metric, name, regions), *(() if one_number else (number,)))
    return table


def _table(title: str) -> Table:
    """A table that eighty columns are enough for, if arms and regions are few."""
    return Table(
        title=escape(title), title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True
    )


def _best_first(study: LoadedStudy, metric: Metric, region: str) -> list[str]:
    means = {arm.name: _mean(study, metric, arm.name, region) for arm in study.arms}
    return sorted(means, key=lambda name: metric.merit(m.mean if (m := means[name]) else float("nan")), reverse=True)


def _mean(study: LoadedStudy, metric: Metric, name: str, region: str) -> ArmMean | None:
    return study.arm_means.get((name, metric.name, region))


def _cells(study: LoadedStudy, metric: Metric, name: str, regions: list[str]) -> list[str]:
    means = [_mean(study, metric, name, region) for region in regions]
    first = means[0]
    difference = study.differences.get((name, metric.name, regions[0]), float("nan"))
    return [
        escape(name),
        *(metric.text(mean.mean) if mean else DASH for mean in means),
        metric.range(first.low, first.high) if first else DASH,
        metric.difference(difference),
    ]
