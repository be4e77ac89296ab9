"""Jobs that several processes share: what another is at is left to it, what a dead one held is taken over."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.lock import alone
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study import share as room
from mrfusion.study.share import share

NAMES = ("a", "b", "c")


class Making(Executor):
    """Makes a file for each job, unless another process has made it in the meantime."""

    def __init__(self, out: Path, failing: str = "") -> None:
        self.out, self.failing = out, failing
        self.asked: list[str] = []

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        for job in jobs:
            tick()
            self.asked.append(job.name)
            if job.name == self.failing:
                yield Outcome(job, failure="went wrong", expected=True)
                continue
            (self.out / job.name).touch()
            yield Outcome(job, result="made")


def todo_in(out: Path) -> Callable[[], list[Job]]:
    return lambda: [Job(name, "m:f", ()) for name in NAMES if not (out / name).exists()]


def unseen(told: object, done: int) -> None:
    """Nobody watches."""


def pausing(monkeypatch: pytest.MonkeyPatch, pause: Callable[[float], object]) -> None:
    """What happens in the pauses of the room; the locks have pauses of their own."""
    monkeypatch.setattr(room, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))


def test_what_nobody_is_at_is_done_here(tmp_path: Path) -> None:
    executor = Making(tmp_path)
    assert share(todo_in(tmp_path), executor, out=tmp_path, watch=unseen) == 3
    assert executor.asked == list(NAMES)


def test_what_another_is_at_is_left_to_it_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one ends during the first pause."""
    executor, claim = Making(tmp_path), alone(StudyFolder(tmp_path).lock_of("b"), "b")

    def end(_: float) -> None:
        (tmp_path / "b").touch()
        claim.__exit__(None, None, None)

    pausing(monkeypatch, end)
    claim.__enter__()
    assert share(todo_in(tmp_path), executor, out=tmp_path, watch=unseen) == 2
    assert executor.asked == ["a", "c"]


def test_what_another_let_go_of_unfinished_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, claim = Making(tmp_path), alone(StudyFolder(tmp_path).lock_of("b"), "b")
    pausing(monkeypatch, lambda _: claim.__exit__(None, None, None))
    claim.__enter__()
    assert share(todo_in(tmp_path), executor, out=tmp_path, watch=unseen) == 3
    assert executor.asked == ["a", "c", "b"]


def test_a_job_that_fails_here_is_told_when_the_others_have_ended(tmp_path: Path) -> None:
    executor = Making(tmp_path, failing="a")
    with pytest.raises(MrFusionError, match="1 of 3 runs failed"):
        share(todo_in(tmp_path), executor, out=tmp_path, watch=unseen)
    assert [job.name for job in todo_in(tmp_path)()] == ["a"]


def test_the_count_goes_on_over_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, told = alone(StudyFolder(tmp_path).lock_of("a"), "a"), list[int]()
    pausing(monkeypatch, lambda _: claim.__exit__(None, None, None))
    claim.__enter__()
    share(todo_in(tmp_path), Making(tmp_path), out=tmp_path, watch=lambda news, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 2, "told before the last job ends"
