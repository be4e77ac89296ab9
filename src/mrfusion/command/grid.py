"""The grid of a running study: arms down, folds across, and in each cell a mark for every seed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.design import PlannedRun

DONE, RUNNING, WAITING = "●", "◐", "·"
LEGEND = f"{DONE} done  {RUNNING} running  {WAITING} to come; a mark is a seed"
MOST_ROWS = 16  # what leaves room for the bars on a small terminal; arms that are done go first


@dataclass(frozen=True)
class Mark:
    """One run of the grid; its digest is worked out once, for the grid is drawn often."""

    arm: str
    fold: int
    seed: int
    digest: str


def study_grid(planned: Sequence[PlannedRun], out: Path) -> Callable[[Collection[str]], Table]:
    """What draws the grid, given the digests of the runs that are running; a run is done where its folder is there."""
    marks = [Mark(run.arm, run.fold, run.seed, run.spec.digest) for run in planned]
    done: set[str] = set()

    def draw(running: Collection[str]) -> Table:
        left = {mark.digest for mark in marks} - done
        done.update(digest for digest in left if StudyFolder(out).run(digest).is_done)
        return _table(marks, done, running)

    return draw


def _table(marks: Sequence[Mark], done: Collection[str], running: Collection[str]) -> Table:
    folds = sorted({mark.fold for mark in marks})
    cells: dict[str, dict[int, list[Mark]]] = defaultdict(lambda: defaultdict(list))
    for mark in sorted(marks, key=lambda mark: mark.seed):
        cells[mark.arm][mark.fold].append(mark)
    table = Table("", *(f"fold {fold}" for fold in folds), box=None, caption=LEGEND, caption_justify="left")
    for arm in _shown(cells, done):
        signs = ("".join(_sign(mark.digest, done, running) for mark in cells[arm][fold]) for fold in folds)
        table.add_row(escape(arm), *signs)
    return table


def _shown(cells: dict[str, dict[int, list[Mark]]], done: Collection[str]) -> list[str]:
    """The arms in their order; where there are too many, those with something left to do."""
    left = [arm for arm, row in cells.items() if any(mark.digest not in done for each in row.values() for mark in each)]
    return list(cells) if len(cells) <= MOST_ROWS else left[:MOST_ROWS]


def _sign(digest: str, done: Collection[str], running: Collection[str]) -> str:
    if digest in done:
        return f"[green]{DONE}[/green]"
    return f"[yellow]{RUNNING}[/yellow]" if digest in running else f"[dim]{WAITING}[/dim]"
