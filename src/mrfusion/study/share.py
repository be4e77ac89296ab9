"""Jobs of a study that several processes may share: each does what nobody is at, and waits for what others are at."""

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mrfusion.errors import MrFusionError, Note, OutputError
from mrfusion.executors._base import Executor, Job
from mrfusion.lock import Observer
from mrfusion.progress import forget_progress, read_progress
from mrfusion.run_folder.study import StudyFolder

PATIENCE_SECONDS = 60.0  # NFS shows what another machine made after 3 to 60 seconds
PAUSE_SECONDS = 2.0
Watch = Callable[[dict[str, dict[str, Any]], int], None]


def share(todo: Callable[[], list[Job]], executor: Executor, *, out: Path, watch: Watch) -> int:
    """Carry out jobs until ``todo`` names none any more; how many were carried out here.

    A job that another process holds is left to it (its result is None). Should that process die, the job is taken over.
    Raises MrFusionError where jobs fail here, when the others that are free have ended.
    """
    study, jobs, here = StudyFolder(out), todo(), 0
    total, seen = len(jobs), dict[str, Observer]()
    while jobs:
        before = total - len(jobs)
        for job in jobs:
            seen.setdefault(job.name, Observer(study.lock_of(job.name)))
        free = [job for job in jobs if seen[job.name].is_free()]
        made = _carried_out(free, executor, study, partial(_after, watch, before))
        _await(made, todo)
        here += len(made)
        if not made:
            watch(read_progress(study.progress), before)
            time.sleep(PAUSE_SECONDS)
        jobs = todo()
    return here


def _after(watch: Watch, before: int, news: dict[str, dict[str, Any]], done: int) -> None:
    watch(news, before + done)


def _carried_out(jobs: Sequence[Job], executor: Executor, study: StudyFolder, watch: Watch) -> set[str]:
    """The names of the jobs that were carried out here, and not left to others."""
    if not jobs:
        return set()
    forget_progress(study.progress, [job.name for job in jobs])
    found = dict[str, Any]()

    def done() -> set[str]:
        return {name for name, result in found.items() if result is not None}

    results_of(executor, jobs, lambda: watch(read_progress(study.progress), len(done())), found)
    return done()


def _await(finished: set[str], todo: Callable[[], list[Job]]) -> None:
    """What ended well on another machine is here as soon as a network's file system shows it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while absent := finished & {job.name for job in todo()}:
        if time.monotonic() > until:
            raise OutputError(
                f"run {min(absent)} has ended well, and its folder is not there; --out must lie on a folder that all "
                "machines of the executor share"
            )
        time.sleep(0.5)


def results_of(
    executor: Executor, jobs: Sequence[Job], tick: Callable[[], None], found: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The results of jobs by name, put into ``found`` as they come; failures are raised together when all have ended.

    What ``tick`` raises ends the jobs that are running.
    """
    results: dict[str, Any] = {} if found is None else found
    failures = []
    for outcome in executor.run(jobs, tick):
        for note in outcome.notes:
            warnings.warn(f"{outcome.job.title or outcome.job.name}: {note}", Note, stacklevel=2)
        if outcome.failure is None:
            results[outcome.job.name] = outcome.result
        else:
            failures.append(outcome)
    if failures:
        text = "\n".join(f"{failure.job.title or failure.job.name}: {failure.failure}" for failure in failures)
        raise MrFusionError(text if len(jobs) == 1 else f"{len(failures)} of {len(jobs)} runs failed:\n{text}")
    return results
