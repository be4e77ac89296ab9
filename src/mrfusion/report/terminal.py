"""The table of arms for the terminal: mean over patients, per region, with the difference to the reference."""

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.report.load import LoadedStudy
from mrfusion.report.metric import DASH, Metric, metric_named
from mrfusion.study.aggregate import MEAN


def terminal_table(study: LoadedStudy) -> Table:
    """The arms, best first, by the first metric; runs that are not there are said below the table."""
    metric = metric_named(study.metrics[0] if study.metrics else "dice")
    regions = [MEAN, *study.regions] if len(study.regions) > 1 else list(study.regions) or [MEAN]
    absent = len(study.runs) - len(study.done)
    table = Table(
        title=escape(study.question),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        caption=f"{metric.heading}, mean over patients"
        + (f"; {absent} of {len(study.runs)} runs absent" if absent else ""),
        caption_justify="left",
    )
    table.add_column("arm")
    for region in regions:
        table.add_column("mean" if region == MEAN else escape(region), justify="right")
    for heading in ("95 % interval", f"vs {study.reference}", "patients"):
        table.add_column(escape(heading), justify="right")
    for name in _best_first(study, metric, regions[0]):
        table.add_row(*_cells(study, metric, name, regions))
    return table


def _best_first(study: LoadedStudy, metric: Metric, region: str) -> list[str]:
    means = {arm.name: study.arm_means.get((arm.name, metric.name, region)) for arm in study.arms}
    return sorted(means, key=lambda name: metric.merit(m.mean if (m := means[name]) else float("nan")), reverse=True)


def _cells(study: LoadedStudy, metric: Metric, name: str, regions: list[str]) -> list[str]:
    means = [study.arm_means.get((name, metric.name, region)) for region in regions]
    first = means[0]
    difference = study.differences.get((name, metric.name, regions[0]), float("nan"))
    return [
        escape(name),
        *(metric.text(mean.mean) if mean else DASH for mean in means),
        metric.range(first.low, first.high) if first else DASH,
        metric.difference(difference),
        str(first.patients) if first else DASH,
    ]
