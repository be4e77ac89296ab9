"""The main job from end to end: prepare the data, run what is missing, write the report, say where it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.command.display import StudyView, complaints, console, one_bar, say
from mrfusion.command.grid import study_grid
from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Executor
from mrfusion.files import sweep, temporary_folder
from mrfusion.lock import alone
from mrfusion.report.page import build_report
from mrfusion.report.terminal import terminal_answer
from mrfusion.report.wording import duration
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.conduct import (
    Agenda,
    conduct,
    missing,
    prepare,
    score_subsets,
    without_subsets,
    write_down,
)
from mrfusion.study.design import PlannedRun, Study
from mrfusion.study.estimate import Estimate, estimate
from mrfusion.study.load import LoadedStudy, load_study

Report = Callable[[LoadedStudy], object]


def run_study(
    study: Study,
    out: Path | str,
    *,
    executor: str = "local",
    workers: int | None = None,
    cache: Path | str | None = None,
) -> LoadedStudy:
    """Conduct a study: carry out the runs that are missing in ``out``, write ``out/report.html``, give the results.

    ``executor`` is a choice of the family executors, ``workers`` the processes side by side (default: one a GPU, or a
    core), ``cache`` the folder of prepared cases (default: ``out/cache``). Progress is shown on the standard error.
    Where runs fail, the others go on, the report is written, and MrFusionError then says which failed and why. After
    an interruption, a call with the same arguments goes on from there.
    """
    out = Path(out)
    runner, prepared = executor_named(executor, workers=workers), Path(cache or StudyFolder(out).cache)
    return _conduct(study, runner, out=out, cache=prepared, report=build_report)


def show_study(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> LoadedStudy:
    """Conduct a study and show its answer. Ctrl-C is one message; the same command goes on from there."""
    try:
        return _conduct(study, executor, out=out, cache=cache or StudyFolder(out).cache, report=_report)
    except KeyboardInterrupt:
        raise MrFusionError("stopped; finished runs and epochs are kept, the same command goes on from there") from None


def executor_named(text: str, **options: Any) -> Executor:
    """The executor that ``text`` names, with the options that were given as if they stood in the text."""
    call, given = families.parse(text), {key: value for key, value in options.items() if value is not None}
    executor: Executor = families.load("executors", str(replace(call, kwargs=(*call.kwargs, *given.items()))))()
    return executor


def _conduct(study: Study, executor: Executor, *, out: Path, cache: Path, report: Report) -> LoadedStudy:
    """Run what is missing, then report; where runs fail, a report of the others comes before their failure is told."""
    with alone(StudyFolder(out).lock_of("study"), f"the study in {out}", patience_seconds=1):
        sweep(out.iterdir())
        agenda = _prepared(study, executor, out, cache)
        try:
            _run_all(agenda, executor, out=out, cache=cache)
        except MrFusionError:
            report(_finished(out))
            raise
        found = _finished(out)
        report(found)
    return found


def _finished(out: Path) -> LoadedStudy:
    """What has been run, its scores written as one long table too."""
    found = load_study(out)
    found.folder.write_scores(found.scores)
    return found


def _run_all(agenda: Agenda, executor: Executor, *, out: Path, cache: Path) -> None:
    while _wave(write_down(agenda, out), executor, out, cache):
        pass
    if agenda.study.subsets:
        _subsets(executor, out, cache)


def _wave(agenda: Agenda, executor: Executor, out: Path, cache: Path) -> bool:
    """Run what is missing now: planned runs, and the rounds that the searches have come to. False when all is done."""
    planned = agenda.now(out)
    todo = missing(planned, out)
    asked = f", {len(agenda.quests)} searches ask as they go" if agenda.quests else ""
    complaints.print(f"{len(planned)} runs planned, {len(planned) - len(todo)} done{asked}", highlight=False)
    titles = {run.spec.digest: run.title for run in planned}
    with StudyView(titles, len(todo), study_grid(planned, out)) as view:
        conduct(planned, executor, out=out, cache=cache, watch=view.watch)
    return bool(todo)


def _subsets(executor: Executor, out: Path, cache: Path) -> None:
    """Score the runs that lack it on every subset of their modalities."""
    todo = without_subsets(out)
    with StudyView(todo, len(todo)) as view:
        score_subsets(todo, executor, out=out, cache=cache, watch=view.watch)


def foretell(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> None:
    """Say which runs are missing and how long they would take here; nothing is run but a few timed steps.

    Nothing is written into ``out``, nor into a cache that is not there yet: what has to lie somewhere lies beside
    ``out`` until the estimate ends.
    """
    kept = cache or StudyFolder(out).cache
    with temporary_folder(next(folder for folder in out.absolute().parents if folder.is_dir())) as place:
        prepared = kept if kept.is_dir() else StudyFolder(place).cache
        agenda = _prepared(study, executor, place, prepared)
        todo = missing(agenda.now(out), out)
        with one_bar("timing a few steps of each kind of run"):
            found = estimate(todo, executor, out=place, cache=prepared, subsets=agenda.study.subsets)
    for run in todo:
        say(f"{run.spec.digest}  {run.title}: {duration(found.seconds[run.spec.digest])}")
    for sentence in _foretold(agenda, todo, found):
        say(sentence)


def _foretold(agenda: Agenda, todo: Sequence[PlannedRun], found: Estimate) -> Iterator[str]:
    """How long all runs take, with what the number leaves out."""
    most = " at the most" if agenda.study.most_seeds else ""
    beside = ""
    if found.workers and found.workers > 1 and len(found.seconds) > 1:
        beside = f", {duration(found.beside(found.workers))} with {found.workers} side by side"
    more = f"; {len(agenda.quests)} searches will ask for more, round by round" if agenda.quests else ""
    yield f"{len(found.seconds)} runs{most}, {duration(found.total)} one after another{beside}{more}"
    untimed = len(found.seconds) - len(found.timed)
    if untimed:
        yield f"{untimed} runs were not timed, for want of time, and are not counted"
    if any(run.spec.machine.compile for run in todo):
        yield "the runs were timed without compiling: compiled steps are shorter, and compiling takes minutes itself"


def _prepared(study: Study, executor: Executor, out: Path, cache: Path) -> Agenda:
    with StudyView({"prepare": "data", "propose": "planning"}) as view:
        agenda = prepare(study, executor, out=out, cache=cache, watch=view.watch)
    for note in (*agenda.notes, *agenda.terms):
        complaints.print(f"note: {note}", markup=False, highlight=False)
    return agenda


def _report(study: LoadedStudy) -> None:
    show_report(study, build_report(study))


def show_report(study: LoadedStudy, written: Path) -> None:
    """The answer in the terminal, and where it is written."""
    console.print(terminal_answer(study))
    say(f"report: {written}")
