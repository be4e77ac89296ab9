"""How long the missing runs of a study would take here: one timing for all runs whose steps cost alike."""

import heapq
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.executors._base import Executor, Job
from mrfusion.spec import RunSpec
from mrfusion.study.conduct import missing
from mrfusion.study.design import PlannedRun
from mrfusion.study.share import results_of

ESTIMATE = "mrfusion.run.jobs:estimate_runs"
LIMIT_SECONDS = 120.0  # an answer that takes longer is of no use; what is not timed by then is said
_CHANGES_NO_STEP: dict[str, Any] = {
    "data": {"fingerprint": True},
    "budget": {"epochs", "learning_rate", "weight_decay", "decay", "patience", "clip_norm"},
    **dict.fromkeys(("fold", "seed", "score_on", "origin", "tracking"), True),
}


@dataclass(frozen=True)
class Estimate:
    """Seconds of each missing run by its digest, in the order of the runs; NaN where there was no time to time it.

    ``workers`` runs go side by side; None where the executor does not know.
    """

    seconds: Mapping[str, float]
    workers: int | None

    @property
    def timed(self) -> list[float]:
        """The seconds of the runs that were timed."""
        return [one for one in self.seconds.values() if one == one]

    @property
    def total(self) -> float:
        """Seconds of the timed runs one after another."""
        return sum(self.timed)

    def beside(self, workers: int) -> float:
        """Seconds until the last of the timed runs ends, where each worker takes the next one when it is free."""
        free = [0.0] * workers
        for one in self.timed:
            heapq.heapreplace(free, free[0] + one)
        return max(free)


def estimate(
    planned: Sequence[PlannedRun], executor: Executor, *, out: Path, cache: Path, subsets: bool = False
) -> Estimate:
    """Time one run of each kind, and tell the others by it. After :data:`LIMIT_SECONDS` the timing is ended, but not
    before one kind has been timed."""
    runs = missing(planned, out)
    groups = list(_alike(runs).values())
    jobs = [_job(str(number), group, out, cache, subsets) for number, group in enumerate(groups)]
    found, until = dict[str, Any](), time.monotonic() + LIMIT_SECONDS

    def tick() -> None:
        if found and time.monotonic() > until:
            raise _TimeIsUpError

    with suppress(_TimeIsUpError):
        results_of(executor, jobs, tick, found)
    seconds = {
        run.spec.digest: each
        for number, group in enumerate(groups)
        for run, each in zip(group, found.get(str(number), [float("nan")] * len(group)), strict=True)
    }
    return Estimate({run.spec.digest: seconds[run.spec.digest] for run in runs}, executor.workers)


class _TimeIsUpError(Exception):
    """Ends the jobs of an estimate."""


def _job(name: str, group: Sequence[PlannedRun], out: Path, cache: Path, subsets: bool) -> Job:
    specs = [run.spec.model_dump_json() for run in group]
    return Job(name, ESTIMATE, (specs, str(out), str(cache), subsets), group[0].title)


def _alike(runs: Iterable[PlannedRun]) -> dict[str, list[PlannedRun]]:
    """Runs that differ in nothing that changes how long a step takes: seeds, folds, rates, loss weights, epochs."""
    groups: dict[str, list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault(_kind(run.spec), []).append(run)
    return groups


def _kind(spec: RunSpec) -> str:
    content = spec.model_dump(mode="json", exclude=_CHANGES_NO_STEP)
    return json.dumps(content | {"balancer": families.parse(spec.balancer).name}, sort_keys=True)
