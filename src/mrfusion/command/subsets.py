"""What a run is worth without some of its modalities, as tables in the terminal."""

import math
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.command.display import console, say
from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.shapley import Worth
from mrfusion.comparison.subset_scores import SubsetSummary, summarise_subsets
from mrfusion.errors import InputError
from mrfusion.run_folder.subsets import SubsetFolder

OUT_OF_TRAINING = (
    "The run was trained with all its modalities: what it answers without some of them is out of its training. "
    "A specification with 'absence: uniform' trains for it."
)


def show_subsets(folder: SubsetFolder) -> None:
    """The table of subsets by the first metric, the worst of them, what each modality is worth, and the place."""
    about, found = read_summary(folder)
    metric = found.metrics[0]
    console.print(_subsets(found, metric))
    worst = found.worst(metric, found.regions[-1])
    say(
        f"worst of {len(found.of(metric, found.regions[-1]))} subsets: {', '.join(worst.present)}, "
        f"{_figure(worst.drop)} below all ({_range(worst.drop_low, worst.drop_high)})"
    )
    console.print(_worths(found.worth_of(metric, found.regions[-1])))
    if about["absence"] == "none":
        say(OUT_OF_TRAINING)
    say(f"subsets: {folder.path}")


def read_summary(folder: SubsetFolder) -> tuple[dict[str, Any], SubsetSummary]:
    """What the summary says of the run, and the table read and summed up; InputError where it is of another form."""
    about = folder.read_summary()
    if "absence" not in about:
        raise InputError(f"expected the summary of a run's subsets in {folder.path}, found another form")
    return about, summarise_subsets(folder.read_scores(), about["modalities"])


def _subsets(found: SubsetSummary, metric: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, caption=f"{metric} of {found.means[0].patients} patients", caption_justify="left"
    )
    for name in found.modalities:
        table.add_column(escape(name), justify="center", no_wrap=True)
    for region in found.regions:
        table.add_column("mean" if region == MEAN else escape(region), justify="right", no_wrap=True)
    for heading in ("95 % interval", "drop"):
        table.add_column(heading, justify="right", no_wrap=True)
    columns = [found.of(metric, region) for region in found.regions]
    for rows in zip(*columns, strict=True):
        last = rows[-1]
        dots = ("●" if name in last.present else "○" for name in found.modalities)
        figures = (_figure(row.mean) for row in rows)
        table.add_row(*dots, *figures, _range(last.low, last.high), _figure(last.drop))
    return table


def _worths(rows: tuple[Worth, ...]) -> Table:
    table = Table("modality", box=box.SIMPLE_HEAD)
    for heading in ("worth (Shapley)", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(escape(row.modality), _figure(row.value), _range(row.low, row.high))
    return table


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _range(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
