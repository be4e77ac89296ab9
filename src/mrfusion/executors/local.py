"""Processes on this machine, as many side by side as it has GPUs, or cores where it has none."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from types import ModuleType

from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.executors._call import carry_out
from mrfusion.hardware import cores, gpus

TICK_SECONDS = 0.25
KILLED = "its process was ended from outside, by the system for want of memory perhaps; run it again"


class Local(Executor):
    """Up to ``workers`` processes, each with its share of the cores, and a GPU of its own where there are GPUs.

    Cores and GPUs are those that this process was given (:mod:`mrfusion.hardware`), never others of the machine.

    The share is the cores over ``workers``, however few runs are left: a run's last bits depend on its threads, and
    must not depend on what was finished before an interruption.

    Processes are started afresh (spawn), so that nothing of the parent leaks into a run. Each has a pool of its own:
    where one is killed, its job alone is lost.

    Options:
        workers: processes side by side; default: one for each GPU, or for each core where there is no GPU
    Example: local(workers=2)
    """

    def __init__(self, workers: int | None = None) -> None:
        self.gpus, self.cores = gpus(), cores()
        self.workers = workers or len(self.gpus) or self.cores

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        rest, count = iter(jobs), max(1, min(self.workers, len(jobs)))
        pools = [self._pool(number) for number in range(count)]
        running = {_start(pools[number], job): (number, job) for number, job in zip(range(count), rest, strict=False)}
        try:
            while running:
                done, _ = wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                tick()
                for future in done:
                    number, job = running.pop(future)
                    outcome = _outcome(future, job)
                    if outcome.failure == KILLED:
                        pools[number] = self._pool(number)
                    running |= {_start(pools[number], job): (number, job) for job in islice(rest, 1)}
                    yield outcome
        finally:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()

    def _pool(self, number: int) -> ProcessPoolExecutor:
        settings = (number, max(1, self.cores // self.workers), self.gpus)
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_start_worker, initargs=settings)


def _start(pool: ProcessPoolExecutor, job: Job) -> Future[Outcome]:
    with _no_main_module():
        return pool.submit(carry_out, job)


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


def _outcome(future: Future[Outcome], job: Job) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(job, failure=KILLED, expected=True)


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
