"""The grid of a running study: arms down, folds across, and in each cell a mark for every seed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from mrfusion.study.design import PlannedRun

DONE, RUNNING, WAITING = "●", "◐", "·"
LEGEND = f"{DONE} done  {RUNNING} running  {WAITING} to come; a mark is a seed"
MOST_ROWS = 16  # what leaves room for the bars on a small terminal; arms that are done go first


def study_grid(planned: Sequence[PlannedRun], out: Path) -> Callable[[Collection[str]], Table]:
    """What draws the grid, given the digests of the runs that are running; a run is done where its folder is there."""
    done: set[str] = set()

    def draw(running: Collection[str]) -> Table:
        done.update(run.spec.digest for run in planned if (out / "runs" / run.spec.digest).is_dir())
        return _table(planned, done, running)

    return draw


def _table(planned: Sequence[PlannedRun], done: Collection[str], running: Collection[str]) -> Table:
    folds = sorted({run.fold for run in planned})
    cells: dict[str, dict[int, list[PlannedRun]]] = defaultdict(lambda: defaultdict(list))
    for run in sorted(planned, key=lambda run: run.seed):
        cells[run.arm][run.fold].append(run)
    table = Table("", *(f"fold {fold}" for fold in folds), box=None, caption=LEGEND, caption_justify="left")
    for arm in _shown(cells, done):
        marks = ("".join(_mark(run.spec.digest, done, running) for run in cells[arm][fold]) for fold in folds)
        table.add_row(escape(arm), *marks)
    return table


def _shown(cells: dict[str, dict[int, list[PlannedRun]]], done: Collection[str]) -> list[str]:
    """The arms in their order; where there are too many, those with something left to do."""
    left = [arm for arm, row in cells.items() if any(r.spec.digest not in done for each in row.values() for r in each)]
    return list(cells) if len(cells) <= MOST_ROWS else left[:MOST_ROWS]


def _mark(digest: str, done: Collection[str], running: Collection[str]) -> str:
    if digest in done:
        return f"[green]{DONE}[/green]"
    return f"[yellow]{RUNNING}[/yellow]" if digest in running else f"[dim]{WAITING}[/dim]"
