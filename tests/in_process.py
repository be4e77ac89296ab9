"""An executor for tests of the command line: no process of its own, so that torch is imported once."""

import importlib
from collections.abc import Callable, Iterator, Sequence

from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Executor, Job, Outcome


class InProcess(Executor):
    """Carries out one job after the other, here."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        for job in jobs:
            module, function = job.function.split(":")
            try:
                yield Outcome(job, result=getattr(importlib.import_module(module), function)(*job.arguments))
            except MrFusionError as error:
                yield Outcome(job, failure=str(error), expected=True)
            tick()
