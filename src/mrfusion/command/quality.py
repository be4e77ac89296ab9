"""Showing which cases of a cohort a trained run finds suspicious, and writing the whole table."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.command.cohort import cohort_at
from mrfusion.command.display import console, one_bar, say
from mrfusion.finished_run.load import FinishedRun
from mrfusion.finished_run.quality import Judged, judge, write_judged
from mrfusion.spec import Machine

SHOWN = 20
CAPTION = (
    "suspicion: standard deviations by which a modality adds more to the energy than in the run's own test cases, at "
    "the level where it is most; E: mean over levels; unusual: robust z-score of E"
)


def check_quality(run: FinishedRun, data: Path, *, layout: str | None, out: Path | None) -> bool:
    """Judge every case at ``data`` by the run's energies and show the most suspicious; False if any is suspicious or
    could not be judged. The whole table goes to ``out/energies.csv``."""
    cohort = cohort_at(data, layout, tolerant=True).cohort
    with one_bar("energies") as progress, tempfile.TemporaryDirectory(prefix="mrfusion-") as work:
        judged = judge(run, cohort, machine=Machine(), work=Path(work), progress=progress)
    _show(judged)
    if out is not None:
        write_judged(out / "energies.csv", judged, run.modalities)
        say(f"energies: {out / 'energies.csv'}")
    return not any(one.suspicious or one.problem for one in judged)


def _show(judged: Sequence[Judged]) -> None:
    right = [one for one in judged if not one.problem]
    if right:
        console.print(_table(right[:SHOWN]))
    marked = [one for one in right if one.suspicious]
    for one in marked:
        say(f"{one.case}: suspicious; {one.modality} fits the other modalities least ({one.suspicion:.1f} deviations)")
    for one in judged:
        if one.problem:
            say(f"{one.case}: not judged: {one.problem}")
    say(f"{len(marked)} of {len(right)} cases are suspicious")
    if 2 * len(marked) > len(right):
        say("most cases stand out: the cohort as a whole differs from the run's own; trust the order, not the mark")


def _table(judged: Sequence[Judged]) -> Table:
    table = Table("case", box=box.SIMPLE_HEAD, caption=CAPTION, caption_justify="left")
    for heading in ("suspicion", "limit", "modality", "E", "unusual"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in judged:
        mark = "bold red" if one.suspicious else ""
        figures = (f"{one.suspicion:.1f}", f"{one.limit:.1f}", escape(one.modality), f"{one.energy:.3f}")
        table.add_row(escape(one.case), *figures, f"{one.unusual:+.1f}", style=mark)
    return table
