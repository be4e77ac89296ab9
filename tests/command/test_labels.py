"""The labels of an evaluation: a folder, a data set in a layout, or the data of a study's file."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.case import Region
from mrfusion.command.labels import labels_at
from mrfusion.errors import CaseError, SpecError
from mrfusion.rules import WT_TC_ET
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.question import question


def labels() -> np.ndarray:
    """In the values of BraTS 2021, where enhancing tumour is 4."""
    made = np.zeros((12, 12, 8), np.uint8)
    made[2:10, 2:10, 2:7] = 2
    made[4:8, 4:8, 3:6] = 1
    made[5:7, 5:7, 3:6] = 4
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two cases as BraTS 2021 lays them out, and right predictions of both in the same convention."""
    for name in ("BraTS2021_00001", "BraTS2021_00002"):
        for kind in ("flair", "t1", "t1ce", "t2", "seg"):
            array = labels() if kind == "seg" else labels().astype(np.float32)
            place = tmp_path / "data" / name / f"{name}_{kind}.nii.gz"
            place.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.eye(4)), place)
        (tmp_path / "pred").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(labels(), np.eye(4)), tmp_path / "pred" / f"{name}.nii.gz")
    return tmp_path


def test_a_data_set_says_its_regions_and_its_values(folder: Path) -> None:
    asked = question(metrics="dice,volume_mm3")
    found, told = labels_at(folder / "data", "brats(year=2021)", asked, named=False)
    assert {region.name: region.labels for region in told.regions} == {r.name: r.labels for r in WT_TC_ET}
    scores = score_folders(folder / "pred", found, told)
    assert {s.value for s in scores if s.metric == "dice"} == {1.0}
    enhancing = {s.value for s in scores if (s.metric, s.region) == ("volume_mm3", "ET")}
    assert enhancing == {float((labels() == 4).sum())}


def test_a_studys_file_says_where_its_data_are(folder: Path) -> None:
    path = folder / "study.yaml"
    path.write_text(f"data: {{sources: [{{path: {folder / 'data'}, layout: brats(year=2021)}}]}}\narms: {{a: {{}}}}\n")
    found, told = labels_at(path, None, question(), named=False)
    assert isinstance(found, Mapping)
    assert set(found) == {"BraTS2021_00001", "BraTS2021_00002"}
    assert told.values == {1: 1, 2: 2, 4: 3}


def test_regions_that_were_chosen_stay(folder: Path) -> None:
    asked = question(regions="core=1+3", metrics="dice")
    _, told = labels_at(folder / "data", "brats(year=2021)", asked, named=True)
    assert told.regions == (Region("core", frozenset({1, 3})),)


def test_a_folder_is_the_folder(folder: Path) -> None:
    asked = question()
    assert labels_at(folder / "pred", None, asked, named=False) == (folder / "pred", asked)


def test_a_case_that_is_lacking_is_named(folder: Path) -> None:
    (folder / "pred" / "BraTS2021_00002.nii.gz").unlink()
    found, told = labels_at(folder / "data", "brats(year=2021)", question(metrics="dice"), named=False)
    with pytest.raises(CaseError, match="case BraTS2021_00002: a label in the data set of 2 cases but no prediction"):
        score_folders(folder / "pred", found, told)


def test_no_label_map_is_one_message(folder: Path) -> None:
    (folder / "data" / "BraTS2021_00002" / "BraTS2021_00002_seg.nii.gz").unlink()
    with pytest.raises(SpecError, match="found none of BraTS2021_00002"):
        labels_at(folder / "data", "brats(year=2021,may_lack=[labels])", question(), named=False)
