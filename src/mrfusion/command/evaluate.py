"""Scoring what somebody made: predictions against labels, fused images against their sources."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.command.display import console, one_bar, say
from mrfusion.command.labels import Labels
from mrfusion.errors import SpecError, nearest
from mrfusion.hardware import cores
from mrfusion.result import CaseScore
from mrfusion.run_folder.scores import table_at, write_scores
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.images import score_images
from mrfusion.scoring.masks import summarise
from mrfusion.scoring.question import Question
from mrfusion.scoring.table_2026 import write_tables_2026

FORMS = ("tidy", "brats2026")


def evaluate_folder(
    predictions: Path, labels: Labels, asked: Question, *, out: Path, workers: int | None, selection: bool, form: str
) -> None:
    """Score every case of two folders, write the scores, show their means and what these rest on.

    ``form`` is ``tidy``, or ``brats2026`` for the challenge's tables beside the scores.
    """
    if form not in FORMS:
        raise SpecError(f"--format: {form!r} is not known; {nearest(form, FORMS)}")
    with one_bar("scoring") as progress:
        processes = workers or cores()
        scores = score_folders(predictions, labels, asked, workers=processes, selection=selection, progress=progress)
    table = table_at(out)
    write_scores(table, scores, summarise(scores))
    tables = write_tables_2026(table, scores, asked.rule) if form == "brats2026" else []
    show_summary(scores)
    for path in (table, *tables):
        say(f"scores: {path}")


def show_summary(scores: Sequence[CaseScore]) -> None:
    """The mean of every metric and region, and how many cases were scored, penalised, undefined."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("region", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("mean", "median", "scored", "penalised", "undefined"):
        table.add_column(heading, justify="right")
    for region, metrics in summarise(scores).items():
        for name, figures in metrics.items():
            means = ("-" if figures[key] is None else f"{figures[key]:.4g}" for key in ("mean", "median"))
            counts = (str(figures[key]) for key in ("scored", "penalised", "undefined"))
            table.add_row(escape(region), escape(name), *means, *counts)
    console.print(table)


def score_fused_images(fused: Path, named: Sequence[str], *, out: Path, convention: str, metrics: str | None) -> None:
    """Score a folder of fused images; ``named`` are NAME=FOLDER of the sources. SpecError for anything else."""
    pairs = [text.partition("=") for text in named]
    if not all(name and folder for name, _, folder in pairs):
        raise SpecError(f"--source: expected NAME=FOLDER, found {', '.join(named)}")
    if convention not in ("exact", "published"):
        raise SpecError(f"--convention: {convention!r} is not known; {nearest(convention, ('exact', 'published'))}")
    with one_bar("scoring") as progress:
        scores = score_images(
            fused,
            {name: Path(folder) for name, _, folder in pairs},
            metrics=metrics.split(",") if metrics else None,
            convention="published" if convention == "published" else "exact",
            progress=progress,
        )
    table = table_at(out)
    write_scores(table, scores, summarise(scores))
    show_summary(scores)
    say(f"scores: {table}")
