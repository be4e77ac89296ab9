"""Targets, decisions and validation, against tables and counts written out by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion.data.batch import collate
from mrfusion.data.sample import Draw, LoadedCase
from mrfusion.losses._base import Output
from mrfusion.run_folder.quantity import SCORE, Quantity
from mrfusion.training.decision import make_decision
from mrfusion.training.objective import make_objective, out_channels, region_table
from tiny import cohort_of, loaded_cases, run_spec, training_of

CASES = loaded_cases(2)
COHORT = cohort_of(CASES)
LABELS = torch.tensor([[[0, 1, 2]]], dtype=torch.uint8)


def test_region_table() -> None:
    assert region_table(COHORT).tolist() == [[False, True, True], [False, False, True]]


def test_targets_and_decisions_of_overlapping_regions() -> None:
    spec = run_spec()
    batch = collate(CASES, [Draw(0, (0, 0, 0)), Draw(1, (1, 0, 0))], (1, 16, 16))
    target = make_objective(spec, COHORT).target(batch)
    assert target.shape == (2, 2, 16, 16)
    assert torch.equal(target[:, 0], (batch.labels > 0).float())
    assert torch.equal(target[:, 1], (batch.labels == 2).float())
    logits = torch.tensor([[-1.0, 1.0], [0.5, -0.5]]).view(1, 2, 1, 2)
    assert make_decision(spec, COHORT)(logits).tolist() == [[[[False, True]], [[True, False]]]]


def test_targets_and_decisions_of_exclusive_labels() -> None:
    spec = run_spec(head="labels")
    batch = collate(CASES, [Draw(0, (0, 0, 0))], (1, 16, 16))
    assert torch.equal(make_objective(spec, COHORT).target(batch), batch.labels.long())
    logits = torch.eye(3).view(1, 3, 1, 3)  # background, label 1, label 2
    found = make_decision(spec, COHORT)(logits)[0, :, 0]
    assert found.tolist() == [[False, True, True], [False, False, True]]


def test_classes() -> None:
    spec = run_spec(task="classification")
    batch = collate(CASES, [Draw(1, (0, 0, 0)), Draw(0, (0, 0, 0))], (1, 16, 16))
    assert make_objective(spec, COHORT).target(batch).tolist() == [1, 0]
    probabilities = make_decision(spec, COHORT)(torch.tensor([[0.0, np.log(3.0)]]))
    assert probabilities[0].tolist() == pytest.approx([0.25, 0.75])


def test_how_many_logits() -> None:
    assert out_channels(run_spec(), COHORT) == 2
    assert out_channels(run_spec(head="labels"), COHORT) == 3
    assert out_channels(run_spec(task="classification"), COHORT) == 2


def test_losses_by_name_and_only_those_that_are_asked_for() -> None:
    spec = run_spec(head="labels", losses=["dice_ce", "cross_entropy"])
    objective = make_objective(spec, COHORT)
    batch = collate(CASES, [Draw(0, (0, 0, 0))], (1, 16, 16))
    output = Output(torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    both = objective(output, batch)
    assert list(both) == ["dice_ce", "cross_entropy"]
    one = objective(output, batch, ("cross_entropy",))
    assert list(one) == ["cross_entropy"]
    assert torch.equal(one["cross_entropy"], both["cross_entropy"])


class Threshold(nn.Module):
    """A network that answers with the bright voxels of a modality for every region."""

    def __init__(self, modality: int) -> None:
        super().__init__()
        self.modality = modality

    def forward(self, images: Tensor, present: Tensor) -> Output:
        return Output((images[:, self.modality : self.modality + 1] - 1.0).repeat(1, 2, *[1] * (images.ndim - 2)))


def hand_dice(found: np.ndarray, wanted: np.ndarray) -> float:
    total = found.sum() + wanted.sum()
    return 2 * (found & wanted).sum() / total if total else 1.0


def test_validation_is_the_mean_dice_of_whole_cases(tmp_path: Path) -> None:
    spec = run_spec()
    case = CASES[1]
    training = training_of(spec, tmp_path, [CASES[0], case])
    found = training.validate(Threshold(0))
    bright = case.images[:, 0] - 1.0 > 0
    expected = [hand_dice(bright, case.labels > 0), hand_dice(bright, case.labels == 2)]
    assert [found[Quantity.parse("val/dice_0")], found[Quantity.parse("val/dice_1")]] == pytest.approx(expected)
    assert found[SCORE] == pytest.approx(np.mean(expected))
    assert expected[0] > 0.9
    assert found[Quantity.parse("val/dice_ce")] > 0
    assert training.validate(Threshold(0)) == found, "validation is the same every time"


def test_an_empty_region_that_stays_empty_is_right(tmp_path: Path) -> None:
    empty = LoadedCase(
        "e", np.zeros((3, 2, 16, 16), np.float32), np.zeros((3, 16, 16), np.uint8), (True, True), 0, (0, 3)
    )
    training = training_of(run_spec(), tmp_path, [CASES[0], empty])
    assert training.validate(Threshold(0))[SCORE] == 1.0


def test_validation_of_classes(tmp_path: Path) -> None:
    training = training_of(run_spec(task="classification"), tmp_path, CASES)

    class Sure(nn.Module):
        def forward(self, images: Tensor, present: Tensor) -> Output:
            return Output(torch.tensor([[-2.0, 2.0]]).repeat(len(images), 1))

    found = training.validate(Sure())
    assert found[Quantity.parse("val/accuracy")] == 1.0
    assert found[Quantity.parse("val/cross_entropy")] == pytest.approx(np.log(1 + np.exp(-4)), abs=1e-6)
    assert found[SCORE] == pytest.approx(-found[Quantity.parse("val/cross_entropy")])
