"""Tasks: every piece that one names is there, and a third task is one file, from its training to its scores."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion import families
from mrfusion.case import Case, Cohort, Region
from mrfusion.errors import InputError, SpecError
from mrfusion.progress import silent
from mrfusion.run.execute import execute
from mrfusion.run.jobs import prepare_data
from mrfusion.spec import RunSpec
from mrfusion.study.choices import check_choices
from tiny import run_spec

PLACES = {
    "head": "mrfusion.model.decoder",
    "score": "mrfusion.training.validate",
    "answers": "mrfusion.run.answers",
    "of_cases": "mrfusion.study.validation",
}
REGIONS = (Region("whole", frozenset({1, 2})), Region("core", frozenset({2})))
PRESENCE = '''"""Which regions a case holds at all, several at once."""

import torch
from torch import nn

from mrfusion.files import write_rows
from mrfusion.losses._base import Loss
from mrfusion.result import CaseScore
from mrfusion.run.answers import Answers
from mrfusion.run_folder.quantity import SCORE
from mrfusion.tasks._base import Task
from mrfusion.training.objective import RegionTarget
from mrfusion.training.validate import Score

HERE = __name__


class Presence(Task):
    """One logit a region, each true by itself."""

    losses = (f"{HERE}:EachApart",)
    metrics = "metrics"
    head = "Classifier"
    score = f"{HERE}:MinusLoss"
    answers = f"{HERE}:PresenceAnswers"
    of_cases = "mean_dice"

    def check(self, cohort):
        assert cohort.regions

    def is_labelled(self, case):
        return case.label_map is not None

    def channels(self, cohort, head):
        return len(cohort.regions)

    def exclusive(self, head):
        return False

    def target(self, head):
        return f"{HERE}:Present"

    def decision(self, head):
        return f"{HERE}:Probable"

    def energy_classes(self, cohort):
        return tuple(region.name for region in cohort.regions)

    def loss_of(self, score):
        return -score


class Present(RegionTarget):
    def forward(self, batch):
        return super().forward(batch).flatten(2).amax(2)


class Probable(nn.Module):
    def __init__(self, cohort):
        super().__init__()

    def forward(self, logits):
        return torch.sigmoid(logits)


class EachApart(Loss):
    def __init__(self, exclusive):
        super().__init__(exclusive)

    def forward(self, output, target):
        return nn.functional.binary_cross_entropy_with_logits(output.logits.float(), target)


class MinusLoss(Score):
    def take(self, output, batch):
        return lambda: torch.zeros(len(batch.images), len(self.cohort.regions))

    def rows(self, losses):
        return {SCORE: -sum(losses.values())}


class PresenceAnswers(Answers):
    def predict(self, one):
        return self.model.decision(self.model.predictor.class_logits(one.loaded)[None])[0].numpy()

    def judge(self, answered, folder):
        scores = []
        for one, answer in answered:
            truth = one.prepared.truth()
            for region, value in zip(self.cohort.regions, answer, strict=True):
                there = bool(sum(int((truth == self.cohort.label_values.index(v) + 1).sum()) for v in region.labels))
                scores.append(CaseScore(one.case.id, region.name, "right", float((value > 0.5) == there)))
        return scores

    def write(self, answered, folder):
        path = folder / "presence.csv"
        write_rows(path, ("case", "region", "probability"), [
            (one.case.id, region.name, float(value)) for one, answer in answered
            for region, value in zip(self.cohort.regions, answer, strict=True)])
        return [path]
'''


@pytest.fixture
def presence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A task of somebody else's: one file."""
    (tmp_path / "somebodys_presence.py").write_text(PRESENCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "somebodys_presence:Presence"
    sys.modules.pop("somebodys_presence", None)


def cohort() -> Cohort:
    return Cohort(("a",), (Case("x", "x", {}, Path("l"), "low"),), REGIONS, ("low", "high", "other"))


def folder_of_cases(root: Path, count: int = 6) -> Path:
    """Squares in noise, of which every second case has a core; folder(...) reads them."""
    random = np.random.default_rng(0)
    for number in range(count):
        labels = np.zeros((16, 16, 4), np.uint8)
        labels[4:11, 4:11] = 1
        labels[6:9, 6:9] = 2 if number % 2 else 1
        place = root / f"case{number}"
        place.mkdir(parents=True)
        for name, array in (("a", random.normal(5, 1, labels.shape) + 3 * labels), ("seg", labels)):
            nib.save(nib.Nifti1Image(array.astype(np.float32 if name == "a" else np.uint8), np.eye(4)),
                     place / f"{name}.nii.gz")  # fmt: skip
    return root


@pytest.mark.parametrize("name", families.names("tasks"))
@pytest.mark.parametrize("head", ["regions", "labels"])
def test_every_piece_that_a_task_names_is_there(name: str, head: str) -> None:
    task = families.load("tasks", name)()
    for what, place in PLACES.items():
        assert callable(families.piece(place, getattr(task, what)))
    target = families.piece("mrfusion.training.objective", task.target(head))
    decision = families.piece("mrfusion.training.decision", task.decision(head))
    assert callable(target(cohort()))
    assert callable(decision(cohort()))
    assert set(task.losses) <= set(families.names("losses"))
    assert task.metrics in families.families()
    assert task.channels(cohort(), head) >= 2
    assert len(task.energy_classes(cohort())) >= 2
    assert task.loss_of(0.5) < task.loss_of(0.4), "a search minimises"


def test_the_two_tasks_ask_for_what_they_always_did() -> None:
    regions, labels = (run_spec(head=head) for head in ("regions", "labels"))
    classes = run_spec(task="classification")
    assert [s.loss_texts for s in (regions, labels, classes)] == [("dice_ce",), ("dice_ce",), ("cross_entropy",)]
    assert [s.chosen_task.exclusive(s.head) for s in (regions, labels, classes)] == [False, True, True]
    assert [s.chosen_task.channels(cohort(), s.head) for s in (regions, labels, classes)] == [2, 3, 3]


@pytest.mark.parametrize("name", families.names("tasks"))
def test_a_cohort_without_what_is_learnt_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"task: {name} needs"):
        families.load("tasks", name)().check(Cohort(("a",), (Case("x", "x", {}),)))


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'segmentation'"):
        run_spec(task="segmentation").model_validate({**run_spec().model_dump(), "task": "segmentaton"})
    with pytest.raises(SpecError, match="no class_metrics choice is called 'dice'"):
        check_choices(run_spec(task="classification", metrics=["dice"]))


def test_a_third_task_is_one_file(presence: str, tmp_path: Path) -> None:
    layout = "folder(modalities=['a'],label='seg',regions={'whole':[1,2],'core':[2]})"
    data = {"sources": [{"path": str(folder_of_cases(tmp_path / "in")), "layout": layout}], "split": {"folds": 3}}
    spec = run_spec(task=presence, data=data, plan="concat", budget={"epochs": 2}, sampling={"per_case": 2})
    check_choices(spec)
    out, cache = tmp_path / "out", tmp_path / "cache"
    found = prepare_data(spec.model_dump_json(), str(out), str(cache), {"only": spec.model_dump_json()})
    known = RunSpec.model_validate(spec.changed({"data": {"fingerprint": found["fingerprint"]}}))
    folder = execute(known, out=out, cache=cache, progress=silent)
    assert folder is not None
    assert execute(known, out=out, cache=cache, progress=silent) is None, "found done is not made"
    with (folder / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["region"], row["metric"]) for row in rows} == {("whole", "right"), ("core", "right")}
    assert all(float(row["value"]) in (0, 1) for row in rows)
    assert min(float(row["value"]) for row in rows if row["region"] == "whole") == 1, "every case has the whole"
    assert (folder / "model.safetensors").is_file()
