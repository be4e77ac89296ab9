"""Processes on this machine, as many side by side as it has GPUs, or cores where it has none."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection, wait
from types import ModuleType

from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.executors._call import carry_out, function_at
from mrfusion.hardware import cores, gpus
from mrfusion.kinds import Count

TICK_SECONDS = 0.25
GONE_SECONDS = 5.0
KILLED = "its process was ended from outside, by the system for want of memory perhaps; run it again"


class Local(Executor):
    """Up to ``workers`` processes, each with its share of the cores, and a GPU of its own where there are GPUs.

    Cores and GPUs are those that this process was given (:mod:`mrfusion.hardware`), never others of the machine.

    The share is the cores over ``workers``, however few runs are left: a run's last bits depend on its threads, and
    must not depend on what was finished before an interruption.

    Processes are started afresh (spawn), so that nothing of the parent leaks into a run. Where one is killed, its job
    alone is lost. Each takes about five seconds of a core to import PyTorch and MONAI; :meth:`warm` lets them do so
    side by side, once, while the first job is already at work.

    Options:
        workers: processes side by side; default: one for each GPU, or for each core where there is no GPU
    Example: local(workers=2)
    """

    workers: int

    def __init__(self, workers: Count | None = None) -> None:
        self.gpus, self.cores = gpus(), cores()
        self.workers = workers or len(self.gpus) or self.cores
        self._waiting: dict[int, Worker] | None = None  # by number, for the next call; None outside of warm

    @contextmanager
    def warm(self, function: str, most: int) -> Iterator[None]:
        """A block in which a process that ended its jobs waits for those of the next call of :meth:`run`.

        ``most`` processes, or as many as there are, begin at once and import the module of ``function``.
        """
        self._waiting = {number: self._worker(number, function) for number in range(min(most, self.workers))}
        try:
            yield
        finally:
            for worker in self._waiting.values():
                worker.end()
            self._waiting = None

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        rest, count = iter(jobs), max(1, min(self.workers, len(jobs)))
        workers = [self._waiting_or_new(number) for number in range(count)]
        running = dict(zip(range(count), rest, strict=False))
        try:
            for number, job in running.items():
                workers[number].begin(job)
            while running:
                ready = wait([workers[number].connection for number in running], TICK_SECONDS)
                tick()
                for number in [n for n in running if workers[n].connection in ready]:
                    outcome = workers[number].outcome(running.pop(number))
                    if outcome.failure == KILLED:
                        workers[number] = self._worker(number)
                    for job in islice(rest, 1):
                        workers[number].begin(job)
                        running[number] = job
                    yield outcome
        finally:
            for number, worker in enumerate(workers):
                if self._waiting is None or number in running:
                    worker.end()
                else:
                    self._waiting[number] = worker

    def _waiting_or_new(self, number: int) -> "Worker":
        waiting = (self._waiting or {}).pop(number, None)
        return waiting if waiting is not None and waiting.process.is_alive() else self._worker(number)

    def _worker(self, number: int, expected: str | None = None) -> "Worker":
        return Worker(number, max(1, self.cores // self.workers), self.gpus, expected)


class Worker:
    """A process that carries out one job after the other, told and heard through a pipe: no semaphore is needed, so no
    shared memory either, which some containers do not let one write. It imports the function that is expected first."""

    def __init__(self, number: int, threads: int, gpus: Sequence[str], expected: str | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        told = theirs, number, threads, tuple(gpus), expected
        self.process = context.Process(target=_serve, args=told, daemon=False)
        with _no_main_module():
            self.process.start()
        theirs.close()  # so that its end is heard

    def begin(self, job: Job) -> None:
        """Send a job; where the process has ended, :meth:`outcome` says so."""
        with contextlib.suppress(OSError):
            self.connection.send(job)

    def outcome(self, job: Job) -> Outcome:
        """What came of the job that the process was given."""
        try:
            answer: Outcome = self.connection.recv()
        except (EOFError, OSError):
            return Outcome(job, failure=KILLED, expected=True)
        return answer

    def end(self) -> None:
        """End the process, whatever it does, and wait until it is gone: it may be writing in a folder that is removed
        next."""
        self.connection.close()
        self.process.terminate()
        self.process.join(GONE_SECONDS)


def _serve(connection: Connection, number: int, threads: int, gpus: Sequence[str], expected: str | None) -> None:
    """What a worker does until its parent has no more jobs."""
    _start_worker(number, threads, gpus)
    if expected is not None:
        with contextlib.suppress(Exception):  # the job that calls it will tell
            function_at(expected)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(carry_out(connection.recv()))


@contextmanager
def _no_main_module() -> Iterator[None]:
    """A process that is started now does not import the program's main module.

    It would carry out a script again that starts a study outside of ``if __name__ == "__main__"``. Jobs name their
    functions by address and need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker(number: int, threads: int, gpus: Sequence[str]) -> None:
    """Give the process its cores and its GPU before any library asks; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]


def _leave_with_parent() -> None:
    """A worker whose parent was killed would train on, unseen, in a folder that the next study wants."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
