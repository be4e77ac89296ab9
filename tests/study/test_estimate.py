"""Estimates: how few timings tell how long a study takes, and what they count."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.spec import RunSpec
from mrfusion.study.design import PlannedRun
from mrfusion.study.estimate import Estimate, estimate

SPEC = RunSpec.model_validate({"data": {"sources": [{"path": "x", "layout": "brats"}]}})


class Timing(Executor):
    """Times nothing: each run takes as many seconds as it has epochs; as the real one, it ticks before each answer."""

    workers = 2

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        for job in jobs:
            tick()
            self.jobs.append(job)
            specs = [RunSpec.model_validate_json(text) for text in job.arguments[0]]
            yield Outcome(job, result=[float(spec.budget.epochs) for spec in specs])


def runs(*changes: dict[str, object]) -> list[PlannedRun]:
    return [PlannedRun(f"arm {n}", 0, 0, SPEC.changed(change)) for n, change in enumerate(changes)]


ALIKE = {
    "seeds and folds": [{"seed": 0}, {"seed": 1}, {"fold": 1}],
    "rates and epochs": [{"budget": {"epochs": 3}}, {"budget": {"learning_rate": 0.1}}],
    "weights of losses": [{"balancer": "static(dice_ce=2.0)"}, {"balancer": "static(dice_ce=3.0)"}],
    "what starts from another": [{}, {"origin": {"parents": ["a" * 16], "keep": True}}],
}
OTHERS = {
    "plans": [{"plan": "concat"}, {"plan": "separate"}],
    "networks": [{"network": "unet"}, {"network": "residual"}],
    "batches": [{"budget": {"batch_size": 2}}, {"budget": {"batch_size": 3}}],
    "samples": [{"sampling": {"dimensions": 2}}, {"sampling": {"dimensions": 3}}],
    "balancers": [{"balancer": "static"}, {"balancer": "gradnorm"}],
    "metrics": [{"metrics": ["dice"]}, {"metrics": ["dice", "hd95"]}],
}


@pytest.mark.parametrize("changes", ALIKE.values(), ids=list(ALIKE))
def test_runs_whose_steps_cost_alike_are_timed_once(changes: list[dict[str, object]], tmp_path: Path) -> None:
    timing = Timing()
    found = estimate(runs(*changes), timing, out=tmp_path, cache=tmp_path)
    assert len(timing.jobs) == 1
    assert list(found.seconds.values()) == [run.spec.budget.epochs for run in runs(*changes)]


@pytest.mark.parametrize("changes", OTHERS.values(), ids=list(OTHERS))
def test_others_are_timed_each(changes: list[dict[str, object]], tmp_path: Path) -> None:
    timing = Timing()
    estimate(runs(*changes), timing, out=tmp_path, cache=tmp_path)
    assert len(timing.jobs) == 2


def test_what_is_done_is_not_counted_and_nothing_is_made(tmp_path: Path) -> None:
    planned = runs({"seed": 0}, {"seed": 1})
    (tmp_path / "runs" / planned[0].spec.digest).mkdir(parents=True)
    found = estimate(planned, Timing(), out=tmp_path, cache=tmp_path)
    assert list(found.seconds) == [planned[1].spec.digest]


def test_after_the_limit_the_timing_ends_and_what_is_left_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrfusion.study.estimate.LIMIT_SECONDS", -1.0)
    found = estimate(runs({}, {"plan": "separate"}), Timing(), out=tmp_path, cache=tmp_path)
    assert len(found.seconds) == 2
    assert len(found.timed) == 1, "an estimate tells something"
    assert found.total == found.timed[0]


def test_subsets_are_asked_for(tmp_path: Path) -> None:
    timing = Timing()
    estimate(runs({}), timing, out=tmp_path, cache=tmp_path, subsets=True)
    assert timing.jobs[0].arguments[-1] is True


@pytest.mark.parametrize(("workers", "expected"), [(1, 12.0), (2, 8.0), (3, 5.0), (9, 5.0)])
def test_side_by_side_each_worker_takes_the_next_run(workers: int, expected: float) -> None:
    found = Estimate({"a": 3.0, "b": 4.0, "c": float("nan"), "d": 5.0}, workers)
    assert found.total == 12.0
    assert found.beside(workers) == expected
