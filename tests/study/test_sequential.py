"""A study that stops when it is decided: which seeds are run, what stops, what is saved, and that it can be resumed."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrfusion.errors import SpecError
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.files import read_json, write_json
from mrfusion.report.terminal import terminal_answer
from mrfusion.result import CaseScore
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import SCORE, SECONDS
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.study.conduct import Agenda, conduct, missing, prepare, write_down
from mrfusion.study.design import Study, read_study
from mrfusion.study.load import load_study

FOLDS, CASES = 5, 60
WORTH = {"concat": 0.0, "separate": 0.10, "separate[mmtm]": 0.024, "separate>mean": 0.0}
TEXT = """
data: {sources: [{path: x, layout: brats}], split: {folds: 5}}
arms:
  concat: {}
  clear: {plan: separate}
  close: {plan: "separate[mmtm]"}
"""


class Pretending(Executor):
    """Writes run folders whose scores have a known difference between plans and vary by run, patient and both."""

    def __init__(self) -> None:
        self.order: list[tuple[str, int, int]] = []

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        functions = {"prepare_data": self._prepare, "execute_run": self._execute}
        for job in jobs:
            yield Outcome(job, result=functions[job.function.split(":")[1]](*job.arguments))

    def _prepare(self, spec: str, out: str, cache: str, arms: dict[str, str]) -> dict[str, Any]:
        cases = [{"id": f"c{n:02d}", "patient": f"p{n:02d}"} for n in range(CASES)]
        outline = {"modalities": ["t1c"], "regions": [["WT", [1]]], "classes": [], "cases": cases}
        write_json(Path(out) / "cohort.json", outline)
        known = {case["id"]: {"patient": case["patient"], "hash": "0"} for case in cases}
        write_json(Path(out) / "splits.json", {"cases": known, "folds": []})
        return {"fingerprint": "f", "notes": [], "parameters": dict.fromkeys(arms, 100)}

    def _execute(self, text: str, out: str, cache: str) -> str:
        spec = RunSpec.model_validate_json(text)
        plan = str(spec.plan)
        self.order.append((plan, spec.fold, spec.seed))
        rng = np.random.default_rng([sorted(WORTH).index(plan), spec.fold, spec.seed])
        folder = RunFolder(Path(out) / "runs" / spec.digest)
        folder.path.mkdir(parents=True)
        mine = range(spec.fold, CASES, FOLDS)
        ease = np.random.default_rng(spec.fold).normal(0.7, 0.05, len(mine))
        scores = ease + WORTH[plan] + rng.normal(0, 0.02) + rng.normal(0, 0.02, len(mine))
        found = [CaseScore(f"c{n:02d}", "WT", "dice", float(value)) for n, value in zip(mine, scores, strict=True)]
        folder.write_scores(found, {})
        curve = [0.0, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.59]
        rows = [(epoch, name, value) for epoch, score in enumerate(curve, 1)
                for name, value in ((SCORE, score), (SECONDS, 1.0))]  # fmt: skip
        folder.write_history(History(rows))
        folder.write_environment({"parameters": 100, "epochs": 8, "steps": 800, "train_seconds": 8.0})
        folder.write_spec(spec)
        return str(folder.path)


def read(folder: Path, most_seeds: int | None = 5, text: str = TEXT) -> Study:
    (folder / "s.yaml").write_text(text)
    return read_study(folder / "s.yaml", until="decided", most_seeds=most_seeds)


def begun(study: Study, executor: Pretending, out: Path) -> Agenda:
    return prepare(study, executor, out=out, cache=out / "cache", watch=lambda told, done: None)


def conducted(study: Study, executor: Pretending, out: Path) -> None:
    agenda = begun(study, executor, out)
    while missing((now := write_down(agenda, out)).now(out), out):
        conduct(now.now(out), executor, out=out, cache=out / "cache", watch=lambda told, done: None)


def seeds_of(order: Sequence[tuple[str, int, int]], plan: str) -> set[int]:
    return {seed for name, _, seed in order if name == plan}


def test_what_is_decided_stops_and_what_is_not_goes_on(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(read(tmp_path), executor, tmp_path / "out")
    assert seeds_of(executor.order, "separate") == {0, 1}
    further = seeds_of(executor.order, "separate[mmtm]")
    assert len(further) > 2
    assert seeds_of(executor.order, "concat") == further, "the reference goes on with whoever goes on"
    study = load_study(tmp_path / "out")
    verdicts = {row.arm: row for row in study.comparisons}
    assert verdicts["clear"].verdict == "helps"
    assert not verdicts["clear"].interim, "an arm that was stopped lacks nothing"
    assert len(study.runs) == len(study.done) == len(executor.order)


def test_the_runs_that_were_saved_are_counted_and_told(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(read(tmp_path), executor, tmp_path / "out")
    stopping = read_json(tmp_path / "out" / "study.json")["stopping"]
    assert stopping["total"] == 3 * FOLDS * 5
    assert stopping["saved"] == stopping["total"] - len(executor.order) > 0
    assert stopping["arms"]["clear"] == "decided with 2 seeds"
    assert terminal_answer(load_study(tmp_path / "out"))


def test_the_first_look_comes_after_two_seeds_of_every_arm(tmp_path: Path) -> None:
    study, executor, out = read(tmp_path), Pretending(), tmp_path / "out"
    now = write_down(begun(study, executor, out), out)
    assert {(run.arm, run.seed) for run in now.planned} == {(a.name, s) for a in study.arms for s in (0, 1)}
    assert len(now.planned) == 3 * 2 * FOLDS


def test_those_that_decide_most_come_first(tmp_path: Path) -> None:
    """After the first look the runs are those of the third seed; the reference's, then the arm's that goes on."""
    study, executor, out = read(tmp_path), Pretending(), tmp_path / "out"
    agenda = begun(study, executor, out)
    conduct(write_down(agenda, out).planned, executor, out=out, cache=out, watch=lambda told, done: None)
    todo = missing(write_down(agenda, out).planned, out)
    assert [run.arm for run in todo] == ["concat"] * FOLDS + ["close"] * FOLDS
    assert {run.seed for run in todo} == {2}


def test_an_interrupted_study_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, parts = Pretending(), Pretending()
    conducted(read(tmp_path), whole, tmp_path / "whole")
    study, out = read(tmp_path), tmp_path / "parts"
    agenda = begun(study, parts, out)
    while todo := missing(write_down(agenda, out).planned, out):
        conduct(todo[:3], parts, out=out, cache=out, watch=lambda told, done: None)
    assert sorted(parts.order) == sorted(whole.order)
    assert load_study(out).comparisons == load_study(tmp_path / "whole").comparisons


def test_seeds_of_the_file_come_first_and_further_ones_follow(tmp_path: Path) -> None:
    assert read(tmp_path, 4, TEXT + "seeds: [7, 3]\n").seeds == (3, 7, 8, 9)
    assert read(tmp_path, None).seeds == (0, 1, 2, 3, 4)
    (tmp_path / "s.yaml").write_text(TEXT + "most_seeds: 3\n")
    assert read_study(tmp_path / "s.yaml").seeds == (0, 1, 2)
    assert read_study(tmp_path / "s.yaml", until="decided").seeds == (0, 1, 2)
    assert read_study(tmp_path / "s.yaml", until="all").seeds == (0,)


def test_what_cannot_be_stopped_is_said_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="names 3 seeds, which is more than most_seeds, 2"):
        read(tmp_path, 2, TEXT + "seeds: [0, 1, 2]\n")
    with pytest.raises(SpecError, match="write --until decided with it"):
        read_study(tmp_path / "s.yaml", most_seeds=3)
    with pytest.raises(SpecError, match="a single arm is compared with nothing"):
        read(tmp_path, 3, "data: {sources: [{path: x, layout: brats}]}\narms: {a: {}}\n")
