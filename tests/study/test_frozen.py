"""The frozen plan: written once, never changed, and what goes beyond it is named for ever."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mrfusion.command.study import foretell
from mrfusion.errors import InputError, notes_to
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.files import read_json, write_json
from mrfusion.study.conduct import conduct, prepare, write_down
from mrfusion.study.design import Study, read_study
from mrfusion.study.frozen import Added, added_from

TEXT = """
data: {sources: [{path: x, layout: brats}], split: {folds: 3}}
metrics: [dice]
arms: {concat: {}, late: {plan: separate>mean}}
seeds: [0, 1]
"""


class Preparing(Executor):
    """Prepares a cohort of two regions, makes empty run folders, and counts a network's parameters by its plan."""

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        for job in jobs:
            yield Outcome(job, result=self._result(job))

    def _result(self, job: Job) -> Any:
        kind = job.function.split(":")[1]
        if kind == "estimate_runs":
            assert Path(str(job.arguments[1])).is_dir()
            return [60.0] * len(job.arguments[0])
        if kind == "execute_run":
            (Path(str(job.arguments[1])) / "runs" / job.name).mkdir(parents=True)
            return "done"
        out, cache = Path(str(job.arguments[1])), Path(str(job.arguments[2]))
        outline = {"modalities": ["t1c", "t2f"], "regions": [["WT", [1]], ["TC", [2]]], "classes": [], "cases": []}
        write_json(out / "cohort.json", outline)
        write_json(out / "splits.json", {"cases": {}, "folds": []})
        if not (cache / "case").exists():
            write_json(cache / "case", {})
        sizes = {name: 300 if "separate" in text else 100 for name, text in job.arguments[3].items()}
        return {"fingerprint": "f", "notes": [], "parameters": sizes}


def read(folder: Path, text: str = TEXT, **more: Any) -> Study:
    (folder / "s.yaml").write_text(text)
    return read_study(folder / "s.yaml", **more)


def begun(study: Study, out: Path) -> dict[str, Any]:
    """What the study's file holds once the study has begun in ``out``."""
    agenda = prepare(study, Preparing(), out=out, cache=out / "cache", watch=lambda told, done: None)
    write_down(agenda, out)
    return read_json(out / "study.json")


def beyond(tmp_path: Path, text: str, **more: Any) -> Added:
    """What a study says that goes on with another file in the folder of the first."""
    begun(read(tmp_path), tmp_path / "out")
    return added_from(begun(read(tmp_path, text, **more), tmp_path / "out")["added"])


def test_the_first_study_freezes_what_it_will_compare(tmp_path: Path) -> None:
    content = begun(read(tmp_path), tmp_path / "out")
    plan = read_json(tmp_path / "out" / "plan.json")
    assert (list(plan["arms"]), plan["reference"], plan["seeds"], plan["folds"]) == (
        ["concat", "late"],
        "concat",
        [0, 1],
        [0, 1, 2],
    )
    assert (plan["regions"], plan["metrics"], plan["finished"]) == (["WT", "TC"], ["dice"], 0)
    assert content["frozen"] == plan["digest"]
    assert added_from(content["added"]).of("late", "WT", "dice") == ()


def test_the_same_study_again_changes_nothing(tmp_path: Path) -> None:
    assert beyond(tmp_path, TEXT) == Added((), {}, {}, {}, (), {})


@pytest.mark.parametrize(("old", "new", "arm", "region", "metric", "why"), [
    ("late:", "sum: {plan: 'separate[mean]'}, late:", "sum", "WT", "dice", "arm sum was added"),
    ("separate>mean", "'separate[mmtm]>mean'", "late", "WT", "dice", "arm late was changed in plan"),
    ("[dice]", "[dice, hd95]", "late", "WT", "hd95", "metric hd95 was added"),
    ("metrics:", "hypotheses: {margins: {dice: 0.05}}\nmetrics:", "late", "TC", "dice",
     "the margin of dice was the usual one and is 0.05"),
    ("seeds: [0, 1]", "seeds: [0, 1, 2]", "late", "WT", "dice", "seeds 2 were added"),
    ("seeds:", "reference: late\nseeds:", "concat", "WT", "dice", "the reference was concat"),
    ("seeds:", "hypotheses: {regions: [WT]}\nseeds:", "late", "WT", "dice",
     "the regions of the declared hypotheses were changed"),
    ("seeds:", "budget: {epochs: 99}\nseeds:", "late", "WT", "dice", "the reference was changed in budget.epochs"),
])  # fmt: skip
def test_what_is_added_is_exploratory(
    tmp_path: Path, old: str, new: str, arm: str, region: str, metric: str, why: str
) -> None:
    assert old in TEXT
    assert why in beyond(tmp_path, TEXT.replace(old, new, 1)).of(arm, region, metric)


def test_a_scoring_that_was_added_is_exploratory_and_no_other(tmp_path: Path) -> None:
    both = TEXT + "scorings: {paper: {rules: paper}, brats: {rules: brats2023-MEN}}\n"
    begun(read(tmp_path, both.replace(", brats: {rules: brats2023-MEN}", "")), tmp_path / "out")
    found = added_from(begun(read(tmp_path, both), tmp_path / "out")["added"])
    assert found.by("brats").of("late", "WT", "dice") == ("scoring brats was added",)
    assert found.by("paper").of("late", "WT", "dice") == found.of("late", "WT", "dice") == ()
    changed = begun(read(tmp_path, both.replace("rules: paper", "metrics: [hd95]")), tmp_path / "out")
    assert added_from(changed["added"]).by("paper").of("late", "WT", "hd95") == ("scoring paper was changed",)


def test_an_added_arm_makes_the_others_no_less_planned(tmp_path: Path) -> None:
    found = beyond(tmp_path, TEXT.replace("late:", "sum: {plan: 'separate[mean]'}, late:"))
    assert found.of("late", "WT", "dice") == ()


def test_it_stays_exploratory_after_the_plan_was_left_and_taken_up_again(tmp_path: Path) -> None:
    beyond(tmp_path, TEXT.replace("late:", "sum: {plan: 'separate[mean]'}, late:"))
    begun(read(tmp_path), tmp_path / "out")
    again = begun(read(tmp_path, TEXT.replace("late:", "sum: {plan: 'separate[mean]'}, late:")), tmp_path / "out")
    assert added_from(again["added"]).of("sum", "WT", "dice") == ("arm sum was added",)


def test_a_rule_for_stopping_belongs_to_the_plan(tmp_path: Path) -> None:
    found = beyond(tmp_path, TEXT, until="decided", most_seeds=4)
    assert "the rule for stopping was all seeds and is until decided, at most 4 seeds" in found.everywhere


def test_what_is_dropped_is_said(tmp_path: Path) -> None:
    found = beyond(tmp_path, TEXT.replace("[0, 1]", "[0]"))
    assert found.dropped == ("seeds 1 of the plan are no longer part of the study",)
    assert found.of("late", "WT", "dice") == ()


def test_a_plan_that_is_frozen_after_runs_is_none(tmp_path: Path) -> None:
    study, out = read(tmp_path), tmp_path / "out"
    agenda = prepare(study, Preparing(), out=out, cache=out / "cache", watch=lambda told, done: None)
    conduct(agenda.planned[:5], Preparing(), out=out, cache=out / "cache", watch=lambda told, done: None)
    found = added_from(begun(study, out)["added"])
    assert found.of("late", "WT", "dice") == ("the plan was frozen when 5 runs had finished",)


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    begun(read(tmp_path), out)
    write_json(out / "plan.json", read_json(out / "plan.json") | {"seeds": [0, 1, 2]})
    with pytest.raises(InputError, match=r"plan\.json was changed after it was frozen"):
        begun(read(tmp_path), out)


def test_where_it_runs_and_where_the_data_lie_is_no_part_of_the_plan(tmp_path: Path) -> None:
    moved = TEXT.replace("path: x", "path: y") + "machine: {threads: 1}\n"
    assert beyond(tmp_path, moved) == Added((), {}, {}, {}, (), {})


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """Not into a folder that is not there, not into one that holds a study with other arms."""
    foretell(read(tmp_path), Preparing(), out=tmp_path / "new" / "out", cache=None)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
    begun(read(tmp_path), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "s.yaml"}
    foretell(read(tmp_path, TEXT.replace("late", "other")), Preparing(), out=tmp_path / "out", cache=None)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "s.yaml"}
    assert after == before


def test_a_study_says_at_the_start_what_is_equal_and_what_is_not(tmp_path: Path, capsys: Any) -> None:
    text = TEXT.replace("plan: separate>mean", "plan: separate>mean, budget: {epochs: 100}")
    told: list[str] = []
    with notes_to(told.append):
        agenda = prepare(read(tmp_path, text), Preparing(), out=tmp_path, cache=tmp_path, watch=lambda t, d: None)
    first, second = agenda.terms
    assert first == ("late against concat: 2 times the epochs, 2 times the optimiser steps, 3 times the parameters")
    assert second.startswith("late changes 2 things at once (plan, budget.epochs)")
