"""A study whose arms search: rounds grow out of run folders, and the answer is tried on the test patients."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mrfusion.errors import SpecError
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.files import read_json, write_json, write_rows, write_text
from mrfusion.result import CaseScore
from mrfusion.run_folder.probabilities import Answer
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec
from mrfusion.study.conduct import Agenda, conduct, missing, prepare, write_down
from mrfusion.study.design import Study, read_study
from mrfusion.study.quest import PENDING, REPEAT_SEEDS

LEVELS = 3
CASES = tuple(f"case{number:02d}" for number in range(12))
GAINS = (0.10, -0.05, 0.20)
STUDY = """
name: where
task: {task}
data: {{sources: [{{path: nowhere, layout: table}}], split: {{folds: 2}}}}
budget: {{epochs: 8}}
plan: separate>mean
arms:
  late: {{}}
  forward: {{search: "forward(epochs=2)"}}
  exhaustive: {{search: exhaustive}}
  ensemble: {{ensemble: exhaustive}}
folds: [0]
seeds: [0, 1]
"""


class Pretending(Executor):
    """Writes the folders that runs would leave, with losses that are additive over the levels."""

    def __init__(self, worse: float = 0.0) -> None:
        self.done: list[RunSpec] = []
        self.worse = worse

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        functions = {"prepare_data": self._prepare, "describe_space": self._space, "execute_run": self._execute}
        for job in jobs:
            tick()
            yield Outcome(job, result=functions[job.function.split(":")[1]](*job.arguments))

    def _prepare(self, *arguments: Any) -> dict[str, Any]:
        cases = [{"id": case, "patient": case} for case in CASES]
        outline = {"modalities": ["t1c", "t2f"], "regions": [["WT", [1]]], "classes": ["no", "yes"]}
        write_json(Path(arguments[1]) / "cohort.json", outline | {"cases": cases})
        return {"fingerprint": "f", "notes": [], "parameters": dict.fromkeys(arguments[3], 100)}

    def _space(self, spec: str, fusion: str, out: str) -> list[int]:
        assert fusion == "mmtm"
        return [10, 40, 160][:LEVELS]

    def _execute(self, text: str, out: str, cache: str) -> str:
        spec = RunSpec.model_validate_json(text)
        runs = Path(out) / "runs"
        parents = spec.origin.parents if spec.origin else ()
        assert all((runs / digest).is_dir() for digest in parents), "a parent is run before its candidates"
        self.done.append(spec)
        loss = 1.0 - sum(gain for level, gain in enumerate(GAINS) if spec.plan.fusion_at(level) == "mmtm")
        score = -loss if spec.task == "classification" else 1 - loss
        epochs = 0 if spec.origin and spec.origin.keep else spec.budget.epochs
        folder = runs / spec.digest
        folder.mkdir(parents=True)
        write_rows(
            folder / "history.csv",
            ("epoch", "quantity", "value"),
            [(1, "val/score", score - 1), (2, "val/score", score)],
        )
        _write_scores(folder, loss)
        write_json(folder / "environment.json", {"epochs": epochs, "steps": epochs, "train_seconds": 2.0 * epochs})
        return str(folder)


def _write_scores(folder: Path, loss: float) -> None:
    """What a run says of its patients, in the form of either task: better by what its loss is smaller."""
    right = [math.exp(-loss - 0.01 * number) for number in range(len(CASES))]
    cases = list(zip(CASES, right, strict=True))
    RunFolder(folder).write_probabilities(("no", "yes"), [Answer(case, "no", (p, 1 - p)) for case, p in cases])
    RunFolder(folder).write_scores([CaseScore(case, r, "dice", p) for case, p in cases for r in ("WT", "TC")], {})


def study_of(tmp_path: Path, text: str = STUDY, task: str = "classification") -> Study:
    write_text(tmp_path / "study.yaml", text.format(task=task))
    return read_study(tmp_path / "study.yaml")


def conducted(study: Study, executor: Pretending, out: Path) -> Agenda:
    agenda = prepare(study, executor, out=out, cache=out / "cache", watch=lambda told, done: None)
    while missing(write_down(agenda, out).now(out), out):
        conduct(agenda.now(out), executor, out=out, cache=out / "cache", watch=lambda told, done: None)
    return agenda


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_the_story_of_searching_arms(tmp_path: Path, task: str) -> None:
    executor = Pretending()
    conducted(study_of(tmp_path, task=task), executor, tmp_path)
    searches = {(s["arm"], s["seed"]): s for s in read_json(tmp_path / "searches.json")}
    assert set(searches) == {(arm, seed) for arm in ("forward", "exhaustive", "ensemble") for seed in (0, 1)}
    forward = searches["forward", 1]
    path = [forward["trials"][step["accepted"]]["places"] for step in forward["steps"] if step["accepted"] is not None]
    assert path == [[2], [0, 2]]
    assert forward["trials"][forward["chosen"]]["places"] == [0, 2]
    assert [len(step["tried"]) for step in forward["steps"]] == [3 + 3 + 3, 3 + 2 + 3, 3 + 1]
    assert "nothing was better" in forward["why"]
    assert "p = 0.050 over trainings" in forward["steps"][0]["why"]
    exhaustive = searches["exhaustive", 0]
    assert exhaustive["trials"][exhaustive["chosen"]]["loss"] == pytest.approx(0.7)


def test_each_cell_is_answered_by_a_run_on_the_test_patients(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(study_of(tmp_path), executor, tmp_path)
    specs = {spec.digest: spec for spec in executor.done}
    cells = {(c["arm"], c["seed"]): specs[c["digest"]] for c in read_json(tmp_path / "study.json")["plan"]}
    assert len(cells) == 8
    assert all(spec.score_on == "test" for spec in cells.values())
    forward = cells["forward", 0]
    assert str(forward.plan) == "separate[mmtm,mean,mmtm]>mean"
    assert forward.origin is not None
    assert forward.origin.keep
    assert specs[forward.origin.parents[0]].score_on == "val"
    ensemble = cells["ensemble", 0]
    assert ensemble.origin is not None
    assert len(ensemble.members) == len(ensemble.origin.parents) == 8
    assert [specs[digest].plan for digest in ensemble.origin.parents] == list(ensemble.members)


def test_candidates_see_validation_patients_only(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(study_of(tmp_path), executor, tmp_path)
    trained = [spec for spec in executor.done if not (spec.origin and spec.origin.keep)]
    on_test = [spec for spec in trained if spec.score_on == "test"]
    assert {str(spec.plan) for spec in on_test} == {"separate>mean"}, "only the late arm itself"


def test_searches_share_runs_and_the_ledger_says_so(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(study_of(tmp_path), executor, tmp_path)
    digests = [spec.digest for spec in executor.done]
    assert len(set(digests)) == len(digests)
    searches = [s for s in read_json(tmp_path / "searches.json") if s["seed"] == 0]
    reused = {s["arm"]: sum(trial["reused"] for trial in s["trials"]) for s in searches}
    assert reused == {"forward": 0, "exhaustive": 2, "ensemble": 14}, "no module is a control too: the same run"
    forward = next(s for s in searches if s["arm"] == "forward")
    assert [trial["epochs"] for trial in forward["trials"]] == [8] + [2] * (len(forward["trials"]) - 1)
    assert sum(trial["seconds"] for trial in forward["trials"]) == 16.0 + 4.0 * (9 + 8 + 4)
    spent = {s.arm: s.spent["epochs"] for s in StudyFolder(tmp_path).read_searches() if s.seed == 0}
    assert spent["exhaustive"] == 8 * (8 + 2 + 3), "a control that was trained already costs nothing more"


def test_repeated_trainings_have_seeds_of_their_own(tmp_path: Path) -> None:
    executor = Pretending()
    conducted(study_of(tmp_path), executor, tmp_path)
    plans = [str(spec.plan) for spec in executor.done if spec.seed >= REPEAT_SEEDS]
    assert len(plans) == len({(spec.seed, str(spec.plan), str(spec.origin)) for spec in executor.done
                              if spec.seed >= REPEAT_SEEDS})  # fmt: skip
    searches = {s["arm"]: s for s in read_json(tmp_path / "searches.json") if s["seed"] == 0}
    repeats = [trial["repeat"] for trial in searches["forward"]["trials"] if trial["kind"] == "null"]
    assert repeats == [0, 1, 2] * 3


def test_too_few_validation_patients_add_nothing_and_cost_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("test_searching_arms.CASES", CASES[:5])
    executor = Pretending()
    conducted(study_of(tmp_path), executor, tmp_path)
    searches = {s["arm"]: s for s in read_json(tmp_path / "searches.json") if s["seed"] == 0}
    assert len(searches["forward"]["trials"]) == 1
    assert "5 validation patients cannot tell 3 candidates from chance, at least 6" in searches["forward"]["why"]
    exhaustive = searches["exhaustive"]
    assert exhaustive["trials"][exhaustive["chosen"]]["places"] == []
    assert "at least 8 are needed; nothing was added" in exhaustive["why"]


def test_warm_starts_have_the_epochs_and_the_rate_that_the_search_says(tmp_path: Path) -> None:
    text = STUDY.replace("forward(epochs=2)", "forward(epochs=2,rate=0.25)")
    executor = Pretending()
    conducted(study_of(tmp_path, text), executor, tmp_path)
    budgets = [
        (spec.origin is not None, spec.budget) for spec in executor.done if not (spec.origin and spec.origin.keep)
    ]
    whole = {budget.learning_rate for warm, budget in budgets if not warm}
    assert len(whole) == 1
    assert {(b.epochs, b.learning_rate) for warm, b in budgets if warm} == {(2, 0.25 * whole.pop())}


def test_a_search_goes_on_where_it_was(tmp_path: Path) -> None:
    study, first = study_of(tmp_path), Pretending()
    agenda = prepare(study, first, out=tmp_path, cache=tmp_path, watch=lambda told, done: None)
    conduct(agenda.now(tmp_path), first, out=tmp_path, cache=tmp_path, watch=lambda told, done: None)
    write_down(agenda, tmp_path)
    forward = next(s for s in read_json(tmp_path / "searches.json") if s["arm"] == "forward")
    assert forward["chosen"] is None
    assert [c["digest"] for c in read_json(tmp_path / "study.json")["plan"] if c["arm"] == "forward"] == [PENDING] * 2
    second = Pretending()
    conducted(study, second, tmp_path)
    whole = Pretending()
    conducted(study, whole, tmp_path / "whole")
    assert {s.digest for s in first.done} | {s.digest for s in second.done} == {s.digest for s in whole.done}
    assert not {s.digest for s in first.done} & {s.digest for s in second.done}


@pytest.mark.parametrize(("line", "said"), [
    ("search: forwrd", "nearest|did you mean|forward"),
    ("search: forward(speed=9)", "takes no argument 'speed'"),
    ("search: forward(fusion=mmtn)", "mmtm"),
    ("search: forward(rate=0)", "larger than 0"),
    ("search: forward, plan: concat", "encoders of 'separate'"),
    ("search: forward, ensemble: exhaustive", "name one"),
])  # fmt: skip
def test_what_is_wrong_with_a_search_is_said_at_the_door(tmp_path: Path, line: str, said: str) -> None:
    text = STUDY.replace('search: "forward(epochs=2)"', line)
    with pytest.raises(SpecError, match=said):
        study_of(tmp_path, text)


def test_a_search_begins_when_the_arm_that_is_its_base_is_trained(tmp_path: Path) -> None:
    executor = Pretending()
    agenda = prepare(study_of(tmp_path), executor, out=tmp_path, cache=tmp_path, watch=lambda told, done: None)
    first = agenda.now(tmp_path)
    plain = [run.spec.score_on for run in first if str(run.spec.plan) == "separate>mean"]
    assert plain == ["test", "test"], "of each seed the arm alone, and no search's own training of it"
    conduct(first, executor, out=tmp_path, cache=tmp_path, watch=lambda told, done: None)
    then = [run.spec for run in agenda.now(tmp_path) if run.spec.score_on == "val"]
    assert sum(str(spec.plan) == "separate>mean" for spec in then) == 6, "of three searches and two seeds"
