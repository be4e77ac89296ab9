"""The main job from end to end: prepare the data, run what is missing, write the report, say where it is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.command.display import StudyView, complaints, console, one_bar, say
from mrfusion.command.grid import study_grid
from mrfusion.errors import MrFusionError, TakenError
from mrfusion.executors._base import Executor, Job
from mrfusion.files import sweep, temporary_folder
from mrfusion.lock import alone
from mrfusion.report.page import build_report
from mrfusion.report.terminal import terminal_answer
from mrfusion.report.wording import duration
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.conduct import (
    EXECUTE,
    Agenda,
    check_joined,
    conduct,
    missing,
    prepare,
    subset_jobs,
    write_down,
)
from mrfusion.study.design import PlannedRun, Study
from mrfusion.study.estimate import ESTIMATE, Estimate, estimate
from mrfusion.study.load import LoadedStudy, load_study
from mrfusion.study.share import share

Report = Callable[[LoadedStudy], object]
JOIN = "wait until it ends, stop it, choose another --out, or say --join to share its runs"


def run_study(
    study: Study,
    out: Path | str,
    *,
    executor: str = "local",
    workers: int | None = None,
    cache: Path | str | None = None,
    join: bool = False,
) -> LoadedStudy:
    """Conduct a study: carry out the runs that are missing in ``out``, write ``out/report.html``, give the results.

    ``executor`` is a choice of the family executors, ``workers`` the processes side by side (default: one a GPU, or a
    core), ``cache`` the folder of prepared cases (default: ``out/cache``). With ``join`` other processes may be at work
    on the same folder, here or on machines that share it: each takes runs that nobody is at. Progress is shown on the
    standard error.
    Where runs fail, the others go on, the report is written, and MrFusionError then says which failed and why. After
    an interruption, a call with the same arguments goes on from there.
    """
    out = Path(out)
    runner, prepared = executor_named(executor, workers=workers), Path(cache or StudyFolder(out).cache)
    return _conduct(study, runner, _Place(out, prepared, join), build_report)


def show_study(study: Study, executor: Executor, *, out: Path, cache: Path | None, join: bool = False) -> LoadedStudy:
    """Conduct a study and show its answer. Ctrl-C is one message; the same command goes on from there."""
    try:
        return _conduct(study, executor, _Place(out, cache or StudyFolder(out).cache, join), _report)
    except KeyboardInterrupt:
        raise MrFusionError("stopped; finished runs and epochs are kept, the same command goes on from there") from None


def executor_named(text: str, **options: Any) -> Executor:
    """The executor that ``text`` names, with the options that were given as if they stood in the text."""
    call, given = families.parse(text), {key: value for key, value in options.items() if value is not None}
    executor: Executor = families.load("executors", str(replace(call, kwargs=(*call.kwargs, *given.items()))))()
    return executor


@dataclass(frozen=True)
class _Place:
    """Where a study is conducted, and whether beside other processes."""

    out: Path
    cache: Path
    join: bool

    @contextmanager
    def door(self) -> Iterator[None]:
        """Alone while the data are prepared and the design is written; whoever joins waits for the door to open."""
        path, what = StudyFolder(self.out).lock_of("prepare"), f"the study in {self.out}"
        with ExitStack() as held:
            try:
                held.enter_context(alone(path, what))
            except TakenError as taken:
                if not self.join:
                    raise TakenError(f"{taken}; {JOIN}") from None
                complaints.print(f"waiting: {taken}", markup=False, highlight=False)
                held.enter_context(alone(path, what, patience_seconds=None))
            yield

    def take(self, held: ExitStack) -> bool:
        """Hold the study, if no other process does; TakenError where one does, and it was not said to join it."""
        try:
            held.enter_context(alone(StudyFolder(self.out).lock_of("study"), f"the study in {self.out}"))
        except TakenError as taken:
            if not self.join:
                raise TakenError(f"{taken}; {JOIN}") from None
            return False
        return True


def _conduct(study: Study, executor: Executor, place: _Place, report: Report) -> LoadedStudy:
    """Run what is missing, then report; where runs fail, a report of the others comes before their failure is told."""
    with ExitStack() as held, ExitStack() as processes:
        processes.enter_context(executor.warm(EXECUTE, _first_runs(study, place.out)))
        with place.door():
            first = place.take(held)
            if first and not place.join:
                sweep(place.out.iterdir())
            agenda = _prepared(study, executor, place.out, place.cache)
            if not first:
                check_joined(agenda, place.out)
            due = write_down(agenda, place.out)
        try:
            with processes:  # gone before the report is made, which needs their memory
                here = _run_all(agenda, due, executor, place)
        except MrFusionError:
            report(_finished(place.out))
            raise
        if place.join:
            say(f"{here} jobs were done by this process")
        found = _finished(place.out)
        report(found)
    return found


def _first_runs(study: Study, out: Path) -> int:
    """How many runs can be counted on before the data are known: none where the study's folder is there already."""
    return 0 if out.is_dir() else len(study.arms) * len(study.folds)


def _finished(out: Path) -> LoadedStudy:
    """What has been run, its scores written as one long table too."""
    found = load_study(out)
    found.folder.write_scores(found.scores)
    return found


def _run_all(agenda: Agenda, due: Agenda, executor: Executor, place: _Place) -> int:
    """Wave after wave until nothing is missing, first what is ``due``; how many runs and subsets were made here."""
    here, left = _wave(due, executor, place)
    while left:
        with place.door():
            due = write_down(agenda, place.out)
        made, left = _wave(due, executor, place)
        here += made
    return here + (_subsets(executor, place) if agenda.study.subsets else 0)


def _wave(agenda: Agenda, executor: Executor, place: _Place) -> tuple[int, bool]:
    """Run what is missing now: planned runs, and the rounds that the searches have come to; how many were made here,
    and whether any was missing."""
    planned = agenda.now(place.out)
    todo = missing(planned, place.out)
    asked = f", {_searches(agenda)} asking for more as they go" if agenda.quests else ""
    complaints.print(f"{len(planned)} runs planned, {len(planned) - len(todo)} done{asked}", highlight=False)
    titles = {run.spec.digest: run.title for run in planned}
    with StudyView(titles, len(todo), study_grid(planned, place.out)) as view:
        made = conduct(planned, executor, out=place.out, cache=place.cache, watch=view.watch)
    return made, bool(todo)


def _searches(agenda: Agenda) -> str:
    return "a search" if len(agenda.quests) == 1 else f"{len(agenda.quests)} searches"


def _subsets(executor: Executor, place: _Place) -> int:
    """Score the runs that lack it on every subset of their modalities."""

    def todo() -> list[Job]:
        return subset_jobs(place.out, place.cache)

    titles = {job.name: job.title for job in todo()}
    with StudyView(titles, len(titles)) as view:
        return share(todo, executor, out=place.out, watch=view.watch)


def foretell(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> None:
    """Say which runs are missing and how long they would take here; nothing is run but a few timed steps.

    Nothing is written into ``out``, nor into a cache that is not there yet: what has to lie somewhere lies beside
    ``out`` until the estimate ends. Ctrl-C is one message.
    """
    try:
        _foretell(study, executor, out=out, cache=cache)
    except KeyboardInterrupt:
        raise MrFusionError("stopped; nothing was written, and no run was begun") from None


def _foretell(study: Study, executor: Executor, *, out: Path, cache: Path | None) -> None:
    kept = cache or StudyFolder(out).cache
    beside = next(folder for folder in out.absolute().parents if folder.is_dir())
    with temporary_folder(beside) as place, executor.warm(ESTIMATE, len(study.arms)):
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
    more = f"; {_searches(agenda)} will ask for more, round by round" if agenda.quests else ""
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
