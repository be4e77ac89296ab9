"""What ``mrfusion combine`` says in the terminal."""

from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.command.display import console
from mrfusion.comparison.combine import Belief
from mrfusion.report.combined import Together, sentence
from mrfusion.report.metric import Metric, metric_named


def show_combined(together: Together, page: Path) -> None:
    """A line for every study, for their mean and for the next data set; the sentence; where the page is."""
    row, metric = together.first, metric_named(together.first.metric)
    title = escape(f"{row.arm} minus {row.reference}, {metric.title} in {metric.unit}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("data set", "believed", "95 % interval", "helps", "equivalent", "hurts"):
        table.add_column(heading, justify="left" if heading == "data set" else "right")
    for effect, belief in together.answer.studies:
        table.add_row(escape(effect.study), *_cells(belief, metric))
    table.add_section()
    table.add_row("mean of data sets", *_cells(together.answer.mean, metric))
    table.add_row("next data set", *_cells(together.answer.following, metric))
    console.print(table)
    for text in (sentence(together), *together.cautions, f"page: {page}"):
        console.print(escape(text))


def _cells(belief: Belief, metric: Metric) -> tuple[str, ...]:
    chances = (f"{chance:.0%}" for chance in (belief.helps, belief.equivalent, belief.hurts))
    return (metric.difference(belief.mean), metric.range(belief.low, belief.high), *chances)
