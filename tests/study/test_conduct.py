"""Conducting a study: what is missing is run, what fails does not stop the rest, and all of it is said at the end."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mrfusion.errors import MrFusionError, OutputError, notes_to
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.files import write_json
from mrfusion.study.conduct import conduct, missing, prepare, write_down
from mrfusion.study.design import Study, plan_runs, read_study

TEXT = "data: {sources: [{path: x, layout: brats}], split: {folds: 2}}\narms: {a: {}, b: {plan: separate}}\n"


class Pretend(Executor):
    """Carries out nothing: makes the folder that a run would leave, or says that it failed."""

    def __init__(self, failing: Sequence[str] = (), *, expected: bool = True) -> None:
        self.failing, self.expected = failing, expected
        self.jobs: list[Job] = []

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        self.jobs += jobs
        for job in jobs:
            tick()
            if job.name in self.failing:
                yield Outcome(job, failure=f"{job.name} went wrong", expected=self.expected)
                continue
            yield Outcome(job, result=self._result(job))

    def _result(self, job: Job) -> object:
        kind = job.function.split(":")[1]
        if kind == "prepare_data":
            outline = {"modalities": ["t1c"], "regions": [["WT", [1]]], "classes": [], "cases": []}
            write_json(Path(str(job.arguments[1])) / "cohort.json", outline)
            return {"fingerprint": "f", "notes": ["a note"], "parameters": dict.fromkeys(job.arguments[3], 100)}
        (Path(str(job.arguments[1])) / "runs" / job.name).mkdir(parents=True)
        return "done"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "s.yaml").write_text(TEXT)
    return read_study(tmp_path / "s.yaml")


def unseen(told: object, done: int) -> None:
    """Nobody watches."""


def test_prepare_plans_and_writes_the_study_down(study: Study, tmp_path: Path) -> None:
    agenda = prepare(study, Pretend(), out=tmp_path / "out", cache=tmp_path / "cache", watch=unseen)
    assert write_down(agenda, tmp_path / "out") == agenda
    assert len(agenda.planned) == 4
    assert "a note" in agenda.notes
    written = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [cell["digest"] for cell in written["plan"]] == [run.spec.digest for run in agenda.planned]


def test_only_missing_runs_are_carried_out(study: Study, tmp_path: Path) -> None:
    planned = plan_runs(study, "f")
    (tmp_path / "runs" / planned[1].spec.digest).mkdir(parents=True)
    executor = Pretend()
    conduct(planned, executor, out=tmp_path, cache=tmp_path, watch=unseen)
    assert [job.name for job in executor.jobs] == [planned[i].spec.digest for i in (0, 2, 3)]
    assert missing(planned, tmp_path) == []
    again = Pretend()
    conduct(planned, again, out=tmp_path, cache=tmp_path, watch=unseen)
    assert again.jobs == []


def test_a_run_that_two_cells_share_is_carried_out_once(study: Study, tmp_path: Path) -> None:
    planned = plan_runs(study, "f")
    assert len(missing([*planned, *planned], tmp_path)) == 4


@pytest.mark.parametrize("expected", [True, False])
def test_failures_do_not_stop_the_others_and_are_reported_together(
    study: Study, tmp_path: Path, expected: bool
) -> None:
    planned = plan_runs(study, "f")
    failing = [planned[0].spec.digest, planned[2].spec.digest]
    with pytest.raises(MrFusionError) as caught:
        conduct(planned, Pretend(failing, expected=expected), out=tmp_path, cache=tmp_path, watch=unseen)
    assert "2 of 4 runs failed" in str(caught.value)
    assert all(f"{name} went wrong" in str(caught.value) for name in failing)
    assert [run.spec.digest for run in missing(planned, tmp_path)] == failing


def test_folders_that_stay_on_another_machine_are_one_message(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrfusion.study.share.PATIENCE_SECONDS", 0.0)
    elsewhere = Pretend()
    monkeypatch.setattr(elsewhere, "_result", lambda job: "done")
    with pytest.raises(OutputError, match="all machines of the executor share"):
        conduct(plan_runs(study, "f"), elsewhere, out=tmp_path, cache=tmp_path, watch=unseen)


def test_what_is_done_is_told(study: Study, tmp_path: Path) -> None:
    planned, told = plan_runs(study, "f"), []
    conduct(planned, Pretend(), out=tmp_path, cache=tmp_path, watch=lambda news, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] >= 3


class Noting(Pretend):
    """Notes something of each run."""

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        yield from (replace(outcome, notes=("last.pt was damaged",)) for outcome in super().run(jobs, tick))


def test_what_a_run_notes_is_told_with_its_title(study: Study, tmp_path: Path) -> None:
    told: list[str] = []
    with notes_to(told.append):
        conduct(plan_runs(study, "f")[:1], Noting(), out=tmp_path / "out", cache=tmp_path / "cache", watch=unseen)
    assert told == ["a, fold 0, seed 0: last.pt was damaged"]
