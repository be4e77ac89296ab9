"""Trackers: the contract over the family, and what a tracked run leaves, which is the same run to the bit."""

from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import pytest
import torch

from mrfusion import families
from mrfusion.data.batch import Batch
from mrfusion.errors import SpecError
from mrfusion.part import read_part
from mrfusion.result import CaseScore
from mrfusion.run_folder.quantity import RATE
from mrfusion.spec import RunSpec
from mrfusion.study.choices import check_choices
from mrfusion.trackers._base import Tracker
from mrfusion.training.tracking import ANSWERED, WANTED, Picture, Tracking
from tiny import run_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the trackers' own packages


class Told(Tracker):
    """Keeps what it is told."""

    def begin(self, facts):
        self.said: list[tuple[Any, ...]] = [("begin", dict(facts))]

    def numbers(self, epoch, values):
        self.said.append((epoch, dict(values)))

    def picture(self, epoch, name, image_HW3):
        self.said.append((epoch, name, image_HW3.shape))

    def end(self):
        self.said.append(("end",))


@pytest.mark.parametrize("name", families.names("trackers"))
def test_a_tracker_writes_in_its_folder_and_goes_on_after_an_interruption(name, tmp_path):
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    for epoch in (1, 2):
        tracker = families.load("trackers", name)(tmp_path / "tracking", "abc")
        tracker.begin({"plan": "concat"})
        tracker.numbers(epoch, {"train/dice_ce": 0.5, "cosine/a:b": -1.0, "val/score": float("nan")})
        tracker.picture(epoch, "validation", np.zeros((8, 6, 3), np.uint8))
        tracker.end()
    assert [path for path in (tmp_path / "tracking").rglob("*") if path.is_file()]
    assert {path.name for path in tmp_path.iterdir()} == {"tracking"}


def test_tensorboard_reads_back_what_was_told(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracker = families.load("trackers", "tensorboard")(tmp_path, "abc")
    tracker.begin({"plan": "concat"})
    tracker.numbers(1, {"val/score": 0.25})
    tracker.numbers(2, {"val/score": 0.75})
    tracker.end()
    read = accumulator.EventAccumulator(str(tmp_path / "abc")).Reload()
    assert [(event.step, event.value) for event in read.Scalars("val/score")] == [(1, 0.25), (2, 0.75)]


def test_scores_are_means_over_cases(tmp_path):
    told = Told(tmp_path, "abc")
    told.begin({})
    scores = [
        CaseScore("a", "WT", "dice", 0.5),
        CaseScore("b", "WT", "dice", 1.0),
        CaseScore("c", "WT", "dice", np.nan),
    ]
    Tracking([told]).scores(7, scores)
    assert told.said[1:] == [(7, {"cases/dice/WT": 0.75}), ("end",)]


def test_the_picture_outlines_the_target_and_the_answer():
    target = torch.zeros(1, 1, 10, 10, dtype=torch.bool)
    target[..., 2:6, 2:6] = True
    answer = torch.zeros(1, 1, 10, 10)
    answer[..., 5:9, 5:9] = 1

    class Network(torch.nn.Module):
        def forward(self, images, present):
            return type("Output", (), {"logits": answer - 0.5})

    images = torch.full((1, 2, 10, 10), 3.0)
    batch = Batch(images, torch.ones(1, 2, dtype=torch.bool), target[:, 0].byte(), torch.tensor([-1]), ("a",))
    picture = Picture(
        lambda: batch,
        lambda output, batch: (target, output.logits > 0),
        lambda: torch.autocast("cpu", enabled=False),
    )
    shown = picture.of(Network())
    assert shown.shape == (10, 20, 3), "one tile a modality"
    assert (shown[:, :10] == WANTED).all(-1).sum() == 12 - 1, "the border of a square of 4, less one point of the other"
    assert (shown[:, :10] == ANSWERED).all(-1).sum() == 12


def test_one_name_or_several_and_no_part_of_the_digest():
    plain = run_spec()
    one = read_part(RunSpec, plain.model_dump(mode="json") | {"tracking": "tensorboard"}, "spec")
    assert one.tracking == ("tensorboard",)
    assert one.digest == plain.digest
    with pytest.raises(SpecError, match="no trackers choice is called 'tensorbord'; did you mean 'tensorboard'"):
        check_choices(plain.changed({"tracking": ["tensorbord"]}))


def test_an_epoch_is_told_with_its_picture_and_nothing_is_drawn_for_nobody(tmp_path):
    class Drawn:
        drawn = 0

        def of(self, network):
            self.drawn += 1
            return np.zeros((4, 4, 3), np.uint8)

    picture, told = Drawn(), Told(tmp_path, "abc")
    told.begin({})
    Tracking().epoch(1, {RATE: 1.0}, torch.nn.Identity(), cast("Picture", picture))
    assert picture.drawn == 0
    Tracking([told]).epoch(1, {RATE: 1.0}, torch.nn.Identity(), cast("Picture", picture))
    assert told.said[1:] == [(1, {"lr": 1.0}), (1, "validation", (4, 4, 3))]
