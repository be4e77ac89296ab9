"""The main job from end to end: prepare the data, run what is missing, write the report, say where it is."""

from pathlib import Path

from mrfusion.display import StudyView, complaints, console
from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Executor
from mrfusion.report.load import load_study
from mrfusion.report.page import build_report
from mrfusion.report.terminal import terminal_table
from mrfusion.report.wording import duration
from mrfusion.study.conduct import Agenda, conduct, estimate_seconds, missing, prepare
from mrfusion.study.design import Study


def run_study(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> None:
    """Conduct a study and write its report. Ctrl-C is one message; the same command goes on from there."""
    cache = cache or out / "cache"
    agenda = _prepared(study, executor, out, cache)
    todo = missing(agenda.planned, out)
    names = {run.spec.digest: run.title for run in agenda.planned}
    complaints.print(f"{len(agenda.planned)} runs planned, {len(agenda.planned) - len(todo)} done", highlight=False)
    try:
        with StudyView(names, len(todo)) as view:
            conduct(agenda.planned, executor, out=out, cache=cache, watch=view.watch)
    except KeyboardInterrupt:
        raise MrFusionError("stopped; finished runs and epochs are kept, the same command goes on from there") from None
    except MrFusionError:
        _report(out)
        raise
    _report(out)


def foretell(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> None:
    """Say which runs are missing and how long they would take here; nothing is run but a few timed steps."""
    cache = cache or out / "cache"
    agenda = _prepared(study, executor, out, cache)
    seconds = estimate_seconds(agenda.planned, executor, out=out, cache=cache)
    for run in missing(agenda.planned, out):
        line = f"{run.spec.digest}  {run.title}: {duration(seconds[run.spec.digest])}"
        console.print(line, markup=False, highlight=False)
    total = sum(seconds.values())
    console.print(f"{len(seconds)} runs, {duration(total)} one after another", highlight=False)


def _prepared(study: Study, executor: Executor, out: Path, cache: Path) -> Agenda:
    with StudyView({"prepare": "preparing"}, 1) as view:
        agenda = prepare(study, executor, out=out, cache=cache, watch=view.watch)
    for note in agenda.notes:
        complaints.print(f"note: {note}", markup=False, highlight=False)
    return agenda


def _report(out: Path) -> None:
    written = build_report(out)
    console.print(terminal_table(load_study(out)))
    console.print(f"report: {written}", markup=False, soft_wrap=True)
