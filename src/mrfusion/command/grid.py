"""The grid of a running study: arms down, folds across, in each cell a mark for every seed and the score so far."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.markup import escape
from rich.table import Table

from mrfusion.errors import MrFusionError
from mrfusion.report.metric import Metric, metric_named
from mrfusion.run_folder.run import RunFolder
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


@dataclass(frozen=True)
class Score:
    """The mean of a finished run's first metric that ranks, over cases and regions; NaN where nothing was scored."""

    metric: Metric
    value: float


def study_grid(planned: Sequence[PlannedRun], out: Path) -> Callable[[Collection[str]], Table]:
    """What draws the grid, given the digests of the runs that are running; a run is done where its folder is there.

    What a finished run scored is read once.
    """
    marks = [Mark(run.arm, run.fold, run.seed, run.spec.digest) for run in planned]
    done: dict[str, Score | None] = {}

    def draw(running: Collection[str]) -> Table:
        for digest in {mark.digest for mark in marks} - set(done):
            folder = StudyFolder(out).run(digest)
            if folder.is_done:
                done[digest] = _score_of(folder)
        return _table(marks, done, running)

    return draw


def _score_of(folder: RunFolder) -> Score | None:
    """None where there is nothing that can be shown: the report is the place that says why."""
    try:
        scores = folder.read_scores()
    except (MrFusionError, KeyError, ValueError):
        return None
    ranking = next((name for name in dict.fromkeys(s.metric for s in scores) if metric_named(name).ranks), None)
    values = [s.value for s in scores if s.metric == ranking and math.isfinite(s.value)]
    return Score(metric_named(ranking), fmean(values)) if ranking and values else None


def _table(marks: Sequence[Mark], done: Mapping[str, Score | None], running: Collection[str]) -> Table:
    folds = sorted({mark.fold for mark in marks})
    cells: dict[str, dict[int, list[Mark]]] = defaultdict(lambda: defaultdict(list))
    for mark in sorted(marks, key=lambda mark: mark.seed):
        cells[mark.arm][mark.fold].append(mark)
    table = Table(box=None, caption=_legend(done), caption_justify="left")
    for heading in ("", *(f"fold {fold}" for fold in folds)):
        table.add_column(heading, no_wrap=True)
    for arm in _shown(cells, done):
        table.add_row(escape(arm), *(_cell(cells[arm][fold], done, running) for fold in folds))
    return table


def _legend(done: Mapping[str, Score | None]) -> str:
    shown = sorted({score.metric.heading for score in done.values() if score})
    return LEGEND + (f"\nnumbers: {' and '.join(shown)}, mean of the finished runs" if shown else "")


def _cell(marks: Sequence[Mark], done: Mapping[str, Score | None], running: Collection[str]) -> str:
    signs = "".join(_sign(mark.digest, done, running) for mark in marks)
    scores = [score for score in (done.get(mark.digest) for mark in marks) if score]
    return f"{signs} {scores[0].metric.text(fmean(score.value for score in scores))}" if scores else signs


def _shown(cells: dict[str, dict[int, list[Mark]]], done: Collection[str]) -> list[str]:
    """The arms in their order; where there are too many, those with something left to do."""
    left = [arm for arm, row in cells.items() if any(mark.digest not in done for each in row.values() for mark in each)]
    return list(cells) if len(cells) <= MOST_ROWS else left[:MOST_ROWS]


def _sign(digest: str, done: Collection[str], running: Collection[str]) -> str:
    if digest in done:
        return f"[green]{DONE}[/green]"
    return f"[yellow]{RUNNING}[/yellow]" if digest in running else f"[dim]{WAITING}[/dim]"
