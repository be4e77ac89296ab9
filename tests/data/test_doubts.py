"""What a study hears of its data before anything runs, and sources whose cases share names, links or patients."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.command.inspect import inspect_data
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.doubts import check_twins, doubts_of, in_no_case
from mrfusion.data.read import read_cohort
from mrfusion.errors import CaseError
from mrfusion.inspection.look import inspect_cohort
from mrfusion.spec import Preparation, Source

LAYOUT = "folder(modalities=['t1'],label='seg',regions={'whole':[1,2],'core':[2]})"


def write_case(place: Path, seed: int, *, core: bool = True, packed: bool = True) -> Path:
    random = np.random.default_rng(seed)
    labels = np.zeros((8, 9, 6), np.uint8)
    labels[2:6, 2:6, 2:5] = 1
    labels[3:5, 3:5, 3] = 2 if core else 1
    place.mkdir(parents=True)
    for name, array in (("t1", random.integers(1, 99, labels.shape).astype(np.uint8)), ("seg", labels)):
        nib.save(nib.Nifti1Image(array, np.eye(4)), place / f"{name}.nii{'.gz' if packed else ''}")
    return place


def source(path: Path, **more: object) -> Source:
    return Source.model_validate({"path": path, "layout": LAYOUT, **more})


def test_one_examination_in_two_sources_is_refused_with_both_names(tmp_path: Path) -> None:
    write_case(tmp_path / "2021" / "BraTS2021_00001", 0)
    write_case(tmp_path / "2023" / "BraTS-GLI-00007-000", 0, packed=False)
    cohort = read_cohort([source(tmp_path / "2021"), source(tmp_path / "2023")])
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")
    with pytest.raises(CaseError, match=r"BraTS-GLI-00007-000 .*voxel for voxel the t1 of case BraTS2021_00001"):
        check_twins(cohort, prepared)


@pytest.mark.parametrize("first", ["t1", "t2"])
def test_one_shared_modality_is_enough_for_study_and_inspect(tmp_path: Path, first: str) -> None:
    for name, seeds in (("a", (0, 1)), ("b", (0, None) if first == "t1" else (3, 1)), ("c", (4, 5))):
        write_case(tmp_path / name, 9)
        for modality, seed in zip(("t1", "t2"), seeds, strict=True):
            image = nib.Nifti1Image(np.random.default_rng(seed).integers(1, 99, (8, 9, 6)).astype(np.uint8), np.eye(4))
            if seed is not None:
                nib.save(image, tmp_path / name / f"{modality}.nii.gz")
    layout = "folder(modalities=['t1','t2'],label='seg',regions={'whole':[1,2]},may_lack=['images'])"
    cohort = read_cohort([source(tmp_path, layout=layout)])
    with pytest.raises(CaseError, match=f"case b .*voxel for voxel the {first} of case a"):
        check_twins(cohort, prepare_cohort(cohort, Preparation(), tmp_path / "cache"))
    faults = {found.case: found.faults for found in inspect_cohort(cohort, incomplete=True).cases}
    assert not faults["a"]
    assert not faults["c"]
    assert [fault.partition(",")[0] for fault in faults["b"]] == [f"its {first} is voxel for voxel that of case a"]


def test_modalities_that_a_fold_never_sees_are_said(tmp_path: Path) -> None:
    for number in range(3):
        write_case(tmp_path / f"c{number}", number)
    (tmp_path / "c0" / "t1.nii.gz").rename(tmp_path / "c0" / "t2.nii.gz")
    layout = "folder(modalities=['t1','t2','t3'],label='seg',regions={'whole':[1,2]},may_lack=['images'])"
    cohort = read_cohort([source(tmp_path, layout=layout)])
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")
    assert doubts_of(cohort, prepared, [Split(("c1",), ("c2",), ("c0",)), Split(("c0", "c1"), (), ("c2",))]) == [
        "no case has t3; leave it out, or mend its name in the layout's options",
        "fold 0 trains without a single t2; take other folds, or leave them out",
    ]


def test_two_time_points_of_a_patient_may_be_alike(tmp_path: Path) -> None:
    cases = [Case(n, "p", {"t1": write_case(tmp_path / n, 0) / "t1.nii.gz"}, label="x") for n in ("a", "b")]
    cohort = Cohort(("t1",), tuple(cases), classes=("x", "y"))
    check_twins(cohort, prepare_cohort(cohort, Preparation(), tmp_path / "cache"))


def test_sources_that_share_names_are_told_apart_by_a_prefix(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        write_case(tmp_path / name / "case1", number)
    with pytest.raises(CaseError, match=r"two cases are called 'case1'.* give one of two sources a prefix"):
        read_cohort([source(tmp_path / "one"), source(tmp_path / "two")])
    cohort = read_cohort([source(tmp_path / "one"), source(tmp_path / "two", prefix="two_")])
    assert [(case.id, case.patient) for case in cohort.cases] == [("case1", "case1"), ("two_case1", "two_case1")]


def test_a_region_that_is_nowhere_and_a_fold_without_it_are_said(tmp_path: Path) -> None:
    for number in range(4):
        write_case(tmp_path / "in" / f"c{number}", number, core=number == 3)
    cohort = read_cohort([source(tmp_path / "in")])
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")
    splits = [Split(("c0", "c1"), ("c2",), ("c3",)), Split(("c0", "c3"), ("c1",), ("c2",))]
    assert doubts_of(cohort, prepared, splits) == [
        "fold 0 trains without a single case of core; take other folds, or add patients"
    ]
    other = Cohort(cohort.modalities, cohort.cases, (*cohort.regions, Region("ET", frozenset({3}))))
    again = prepare_cohort(other, Preparation(), tmp_path / "cache")
    (first, second) = doubts_of(other, again, splits)
    assert first == in_no_case("ET", 4)
    assert first.startswith("ET is in none of the 4 cases: where both masks are empty the Dice is 1")
    assert second.startswith("fold 0 trains without a single case of core")


def test_inspect_says_it_in_the_same_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        write_case(tmp_path / "in" / f"c{number}", number, core=False)
    assert inspect_data(tmp_path / "in", layout=LAYOUT, resample_to=None, out=None)
    said = " ".join(capsys.readouterr().out.split())
    assert f"note: {in_no_case('core', 2)}" in said
    assert "whole is in none" not in said


def test_a_class_of_one_patient_is_missed_where_it_is_tested(tmp_path: Path) -> None:
    cases = [
        Case(str(n), str(n), {"t1": write_case(tmp_path / str(n), n) / "t1.nii.gz"}, label="rare" if n == 0 else "x")
        for n in range(3)
    ]
    cohort = Cohort(("t1",), tuple(cases), classes=("rare", "x"))
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")
    said = doubts_of(cohort, prepared, [Split(("1",), ("2",), ("0",)), Split(("0", "1"), (), ("2",))])
    assert said == ["fold 0 trains without a single case of rare; take other folds, or add patients"]


def test_links_are_followed_when_asked_and_what_servers_leave_is_skipped(tmp_path: Path) -> None:
    write_case(tmp_path / "elsewhere" / "case1", 0)
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "elsewhere" / "case1", tmp_path / "in" / "case1")
    for junk in ("@eaDir", "__MACOSX", "#recycle", ".snapshot"):
        write_case(tmp_path / "in" / junk / "case1", 1)
    with pytest.raises(CaseError, match=r"leads out of .*write follow_links: true"):
        read_cohort([source(tmp_path / "in")])
    cohort = read_cohort([source(tmp_path / "in", follow_links=True)])
    assert len(cohort.cases) == 1


def test_a_link_that_leads_in_a_circle_is_entered_once(tmp_path: Path) -> None:
    write_case(tmp_path / "elsewhere" / "case1", 0)
    os.symlink(tmp_path / "elsewhere", tmp_path / "elsewhere" / "again")
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "there")
    assert len(read_cohort([source(tmp_path / "in", follow_links=True)]).cases) == 1
