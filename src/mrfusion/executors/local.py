"""Processes on this machine, as many side by side as it has GPUs, or cores where it has none."""

import importlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Executor, Job, Outcome

TICK_SECONDS = 0.25


class Local(Executor):
    """Up to ``workers`` processes, each with its share of the cores, or a GPU of its own.

    Processes are started afresh (spawn), so that nothing of the parent leaks into a run.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
        self.cores = len(os.sched_getaffinity(0))
        self.workers = workers or self.gpus or self.cores

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        workers = max(1, min(self.workers, len(jobs)))
        context = multiprocessing.get_context("spawn")
        numbers = context.SimpleQueue()
        for number in range(workers):
            numbers.put(number)
        settings = (numbers, max(1, self.cores // workers), self.gpus)
        pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=settings)
        try:
            yield from _outcomes({pool.submit(_carry_out, job): job for job in jobs}, tick)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()


def _outcomes(waiting: dict[Future[Outcome], Job], tick: Callable[[], None]) -> Iterator[Outcome]:
    while waiting:
        done, _ = wait(waiting, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
        tick()
        for future in done:
            job = waiting.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                text = "its process was ended from outside, by the system for want of memory perhaps; run it again"
                yield Outcome(job, failure=text, expected=True)


def _start_worker(numbers: "multiprocessing.SimpleQueue[int]", threads: int, gpus: int) -> None:
    """Give the process its cores and its GPU before any library asks; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    number = numbers.get()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number % gpus)


def _carry_out(job: Job) -> Outcome:
    module, function = job.function.split(":")
    try:
        return Outcome(job, result=getattr(importlib.import_module(module), function)(*job.arguments))
    except MrFusionError as error:
        return Outcome(job, failure=str(error), expected=True)
    except Exception:
        return Outcome(job, failure=traceback.format_exc())
