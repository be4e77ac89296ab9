"""Arms whose predictions were made elsewhere, as a study's file says them: one run a fold, whatever the seeds."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.errors import SpecError
from mrfusion.study.design import Study, plan_runs, read_study

TEXT = """
data: {sources: [{path: x, layout: brats}], split: {folds: 2}}
seeds: [3, 4]
arms:
  ours: {}
  theirs: {predictions: FOLDER}
"""


def study_of(tmp_path: Path, folder: object) -> Study:
    (tmp_path / "s.yaml").write_text(TEXT.replace("FOLDER", str(folder)))
    return read_study(tmp_path / "s.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "nn" / "fold_0" / "validation"
    place.mkdir(parents=True)
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), place / "a.nii.gz")
    return tmp_path / "nn"


def test_it_is_one_run_a_fold_and_a_study_of_ours_is_what_it_was(tmp_path: Path, folder: Path) -> None:
    planned = plan_runs(study_of(tmp_path, folder), "f")
    places = [(run.arm, run.fold, run.seed) for run in planned]
    assert places.count(("ours", 0, 3)) == places.count(("ours", 0, 4)) == places.count(("theirs", 0, 3)) == 1
    assert len(places) == 2 * 2 + 2
    (tmp_path / "alone.yaml").write_text("\n".join(line for line in TEXT.splitlines() if "theirs" not in line))
    alone = {run.spec.digest for run in plan_runs(read_study(tmp_path / "alone.yaml"), "f")}
    assert alone == {run.spec.digest for run in planned if run.arm == "ours"}


def test_other_predictions_in_the_same_place_are_another_run_and_a_moved_folder_is_not(
    tmp_path: Path, folder: Path
) -> None:
    def digests(place: Path) -> list[str]:
        return [run.spec.digest for run in plan_runs(study_of(tmp_path, place), "f") if run.arm == "theirs"]

    first = digests(folder)
    moved = folder.rename(tmp_path / "moved")
    assert digests(moved) == first
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), moved / "fold_0" / "validation" / "a.nii.gz")
    assert digests(moved) != first


@pytest.mark.parametrize(
    ("given", "message"),
    [("7", "expected a folder"), ("[]", "expected a folder"), ("nowhere", "files at")],
)
def test_what_is_no_folder_is_one_message(tmp_path: Path, given: str, message: str) -> None:
    with pytest.raises(SpecError, match=f"arm 'theirs': predictions: .*{message}"):
        study_of(tmp_path, given)
