"""Predictions of nnU-Net: their values are told by the names in its dataset.json, and fold_all has seen its cases."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from mrfusion.case import Region
from mrfusion.errors import CaseError, SpecError
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.meaning import check_unseen, dataset_of
from mrfusion.scoring.question import question

REGIONS = "scar=2221,wall=200+2221,blood=500"
THEIRS = {"background": 0, "wall": [1, 3], "scar": [3], "blood": [2], "ignore": 9}
TO_THEIRS = {0: 0, 200: 1, 500: 2, 2221: 3}


def heart() -> np.ndarray:
    made = np.zeros((14, 13, 6), np.int16)
    made[2:11, 2:11, 1:5] = 200
    made[4:9, 4:9, 1:5] = 500
    made[9:11, 4:8, 2:4] = 2221
    return made


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 12, 1])), path)


def write_dataset(folder: Path, labels: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".nii.gz"}))


@pytest.fixture(params=["predicted", "trainer/fold_0/validation"], ids=["nnUNetv2_predict", "nnUNetv2_train"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A case whose prediction is one voxel aside, in the numbers of the files and in nnU-Net's."""
    moved = np.roll(heart(), 1, 0)
    theirs = np.vectorize(TO_THEIRS.__getitem__)(moved).astype(np.uint8)
    save(heart(), tmp_path / "labels" / "c.nii.gz")
    save(moved, tmp_path / "ours" / "c.nii.gz")
    save(theirs, tmp_path / request.param / "c.nii.gz")
    write_dataset(tmp_path / request.param.split("/")[0], THEIRS)
    return tmp_path / request.param


def test_nnunets_numbers_get_the_scores_of_the_same_prediction_in_ours(folder: Path, tmp_path: Path) -> None:
    asked = question(regions=REGIONS, metrics="dice,hd95,volume_mm3")
    assert score_folders(folder, tmp_path / "labels", asked) == score_folders(
        tmp_path / "ours", tmp_path / "labels", asked
    )


def test_a_part_of_the_regions_may_be_asked_for(folder: Path, tmp_path: Path) -> None:
    asked = question(regions="scar=2221", values="200=0,500=0,2221=2221", metrics="dice")
    (found,) = score_folders(folder, tmp_path / "labels", asked)
    (expected,) = score_folders(tmp_path / "ours", tmp_path / "labels", asked)
    assert 0 < found.value == expected.value < 1


def test_other_names_leave_the_values_as_they_are(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"expected the values \[0, 200, 500, 2221\], found 1"):
        score_folders(folder, tmp_path / "labels", question(regions="scar=2221,myo=200+2221,blood=500"))


def test_a_value_that_the_dataset_does_not_know_names_the_file(folder: Path, tmp_path: Path) -> None:
    save(heart().astype(np.int16), folder / "c.nii.gz")
    with pytest.raises(CaseError, match=r"case c, prediction .*found 200 .*as .*dataset.json names them"):
        score_folders(folder, tmp_path / "labels", question(regions=REGIONS))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"scar": [1, 2], "wall": [1], "blood": [3]}, "the label 2 of .* lies in other regions"),
        ({"scar": "all", "wall": 1, "blood": 2}, "expected whole numbers for the label scar, found 'all'"),
        (["scar"], "expected nnU-Net's dataset.json with 'labels'"),
    ],
)
def test_what_does_not_fit_is_one_message(tmp_path: Path, labels: Any, message: str) -> None:
    write_dataset(tmp_path / "p", labels)
    save(heart(), tmp_path / "p" / "c.nii.gz")
    save(heart(), tmp_path / "labels" / "c.nii.gz")
    with pytest.raises(SpecError, match=message):
        score_folders(tmp_path / "p", tmp_path / "labels", question(regions=REGIONS))


def test_without_a_dataset_nothing_is_told(tmp_path: Path) -> None:
    assert dataset_of(tmp_path) is None
    write_dataset(tmp_path, {"background": 0, "a": 1, "ignore": 2})
    found = dataset_of(tmp_path)
    assert found is not None
    assert found.values([Region("a", frozenset({7}))]) == {1: 7}


def test_fold_all_has_seen_its_cases(tmp_path: Path) -> None:
    check_unseen(tmp_path / "fold_0" / "validation")
    with pytest.raises(SpecError, match="trained on every case"):
        check_unseen(tmp_path / "fold_all" / "validation")
