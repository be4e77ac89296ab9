"""Names: exact ones win, near ones are offered, and one name is one name in whichever of Unicode's forms it stands."""

import errno
import json
import os
import unicodedata
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.case import Case
from mrfusion.data.split_file import read_splits
from mrfusion.errors import CaseError, InputError
from mrfusion.families import load
from mrfusion.inspection.look import inspect_cohort
from mrfusion.layouts._base import links_followed
from mrfusion.outside.images import images_in
from mrfusion.outside.tables import read_table, rows_of
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.question import question
from mrfusion.study.foreign import with_content

COMPOSED = "Müller"
APART = unicodedata.normalize("NFD", COMPOSED)  # as macOS writes names


def image(path: Path, value: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.full((4, 4, 4), value, np.uint8), np.eye(4)), path)
    return path


def folder(root: Path, *, t1: str = "T1", label: str = "seg"):
    return load("layouts", "folder")(root, modalities={"t1": t1}, label=label, regions={"r": [1]})


@pytest.mark.parametrize("on_disk", [COMPOSED, APART], ids=["composed", "apart"])
@pytest.mark.parametrize("asked", [COMPOSED, APART], ids=["composed", "apart"])
def test_one_name_is_one_name_in_every_reader(tmp_path: Path, on_disk: str, asked: str) -> None:
    home = tmp_path / "in" / on_disk
    image(home / f"{on_disk}_T1{on_disk}.nii.gz".replace(f"T1{on_disk}", f"T1_{on_disk}"))
    image(home / "seg.nii.gz")
    cohort = folder(tmp_path / "in", t1=asked)
    assert [(case.id, case.patient) for case in cohort.cases] == [(COMPOSED, COMPOSED)]
    csv = tmp_path / "in" / "participants.csv"
    csv.write_text(f"case,patient,t1,label\n{asked},{on_disk},{asked}/{asked}_T1_{asked}.nii.gz,{asked}\n", "utf-8")
    (one,) = load("layouts", "table")(tmp_path / "in").cases
    assert (one.id, one.patient, one.label) == (COMPOSED,) * 3
    assert one.images["t1"].is_file()
    entry = {"image": {"t1": f"{asked}/{asked}_T1_{asked}.nii.gz"}, "label": f"{asked}/seg.nii.gz", "id": on_disk}
    (tmp_path / "in" / "datalist.json").write_text(json.dumps({"training": [entry], "labels": {"r": 1}}))
    (one,) = load("layouts", "datalist")(tmp_path / "in").cases
    assert one.id == COMPOSED
    assert one.label_map is not None
    assert one.label_map.is_file()


def test_one_name_is_one_name_in_splits_folders_and_tables(tmp_path: Path) -> None:
    for name in ("a", APART):
        image(tmp_path / "in" / name / "T1.nii.gz")
        image(tmp_path / "in" / name / "seg.nii.gz")
    cohort = folder(tmp_path / "in")
    file = tmp_path / "splits_final.json"
    file.write_text(json.dumps([{"train": [APART], "val": ["a"]}, {"train": ["a"], "val": [COMPOSED]}]))
    cohort = type(cohort)(cohort.modalities, (*cohort.cases, Case("b", "b", {})), cohort.regions)
    file.write_text(json.dumps([{"train": [APART, "b"], "val": ["a"]}]))
    splits, _ = read_splits(file, cohort, {case.id: "" for case in cohort.cases})
    assert set(splits[0].train + splits[0].val) == {COMPOSED, "b"}
    image(tmp_path / "p" / f"{APART}.nii.gz")
    image(tmp_path / "l" / f"{COMPOSED}_seg.nii.gz")
    (score,) = score_folders(tmp_path / "p", tmp_path / "l", question(metrics="dice"))
    assert (score.case, score.value) == (COMPOSED, 1.0)
    scores = tmp_path / "scores.csv"
    scores.write_text(f"case,region,metric,value\n{APART},r,dice,0.5\n", "utf-8")
    assert [row.case for row in read_table(scores)] == [COMPOSED]
    scores.write_text(f"case,region,metric,value\n{APART},r,dice,0.5\n", "utf-16")
    assert [row.case for row in read_table(scores)] == [COMPOSED]
    assert rows_of([{"arm": "x", "case": APART, "value": 1.0}])[0].case == COMPOSED


@pytest.mark.parametrize("there", ["P02_Flair", "P02_flair_brain", "FLIAR"])
def test_a_near_name_is_offered(tmp_path: Path, there: str) -> None:
    image(tmp_path / "P02" / f"{there}.nii.gz")
    with pytest.raises(InputError, match=rf"did you mean {there}\.nii\.gz\? Capitals and spelling count"):
        folder(tmp_path, t1="FLAIR")
    image(tmp_path / "P02" / "T1.nii.gz")
    with pytest.raises(CaseError, match=rf"flair as FLAIR_.*did you mean {there}\.nii\.gz\?"):
        load("layouts", "folder")(
            tmp_path, modalities={"t1": "T1", "flair": "FLAIR"}, label="seg", regions={"r": [1]}, may_lack=["labels"]
        )


def test_nothing_is_offered_where_nothing_is_near(tmp_path: Path) -> None:
    image(tmp_path / "P02" / "xyz.nii.gz")
    with pytest.raises(InputError) as told:
        folder(tmp_path, t1="FLAIR")
    assert "did you mean" not in str(told.value)


def test_an_exact_ending_of_bids_wins(tmp_path: Path) -> None:
    for name in ("T1w", "acq-mprage_T1w", "T2w"):
        image(tmp_path / "sub-01" / "anat" / f"sub-01_{name}.nii.gz")
    image(tmp_path / "derivatives" / "sub-01" / "sub-01_mask.nii.gz")
    (case,) = load("layouts", "bids")(tmp_path, modalities=["T1w"]).cases
    assert case.images["T1w"].name == "sub-01_T1w.nii.gz"
    (tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz").unlink()
    image(tmp_path / "sub-01" / "anat" / "sub-01_acq-two_T1w.nii.gz")
    with pytest.raises(CaseError, match="expected one file for T1w"):
        load("layouts", "bids")(tmp_path, modalities=["T1w"])


def test_missing_values_of_participants_are_missing(tmp_path: Path) -> None:
    values = {"01": "n/a", "02": "NA", "03": "nan", "04": "1", "05": "1.0", "06": "0", "07": " "}
    for subject in values:
        image(tmp_path / f"sub-{subject}" / "anat" / f"sub-{subject}_T1w.nii.gz")
    lines = "".join(f"sub-{s}\t{v}\n" if s != "06" else f"{s}\t{v}\n" for s, v in values.items())
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\n" + lines)
    cohort = load("layouts", "bids")(tmp_path, classes="group", may_lack=["labels"])
    assert cohort.classes == ("0", "1")
    assert [case.label for case in cohort.cases] == [None, None, None, "1", "1", "0", None]


def test_two_files_of_one_stem_are_told_apart_by_their_endings(tmp_path: Path) -> None:
    for name in ("P1_T1.nii", "P1_T1.nii.gz", "seg.nii.gz"):
        image(tmp_path / "P1" / name)
    with pytest.raises(CaseError, match=r"give the word with its ending, T1\.nii\.gz"):
        folder(tmp_path)
    for word in ("T1.nii.gz", "P1_T1.nii"):
        (case,) = folder(tmp_path, t1=word).cases
        assert case.images["t1"].name.endswith(word)
    with pytest.raises(InputError, match=r"begins or ends with one of the words T2\.nii\.gz"):
        folder(tmp_path, t1="T2.nii.gz", label="other")


JUNK = ["@eaDir", "__MACOSX", "lost+found", "~snapshot", ".Trash-1000"]


@pytest.mark.parametrize("junk", JUNK)
def test_what_file_servers_leave_is_skipped_by_every_reader_of_folders(tmp_path: Path, junk: str) -> None:
    for name in ("P1", f"P1/{junk}", f"{junk}/P1"):
        image(tmp_path / "d" / name / "T1.nii.gz")
        image(tmp_path / "d" / name / "seg.nii.gz")
    assert [case.id for case in folder(tmp_path / "d").cases] == ["P1"]
    for place in ("p", "l"):
        for name in ("P1.nii.gz", f"{junk}/P1.nii.gz", "._P1.nii.gz"):
            image(tmp_path / place / name)
    (score,) = score_folders(tmp_path / "p", tmp_path / "l", question(metrics="dice"))
    assert score.value == 1.0
    assert list(images_in(tmp_path / "p", {"P1": {}})["P1"].images.values()) == [tmp_path / "p" / "P1.nii.gz"]
    before = with_content({"predictions": str(tmp_path / "p")}, "x")
    image(tmp_path / "p" / junk / "P2.nii.gz", 2)
    assert with_content({"predictions": str(tmp_path / "p")}, "x") == before


def test_a_folder_that_cannot_be_listed_is_not_left_out_in_silence(tmp_path: Path, monkeypatch) -> None:
    for name in ("P1", "P2"):
        image(tmp_path / name / "T1.nii.gz")
        image(tmp_path / name / "seg.nii.gz")
    listed = os.scandir

    def refusing(place):
        if Path(place).name == "P2":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return listed(place)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match="P2: the system cannot list this folder: Permission denied"):
        folder(tmp_path)


def test_links_that_go_round_are_walked_once(tmp_path: Path) -> None:
    image(tmp_path / "d" / "P1" / "T1.nii.gz")
    image(tmp_path / "d" / "P1" / "seg.nii.gz")
    (tmp_path / "d" / "P1" / "up").symlink_to(tmp_path)
    with links_followed(True):
        assert [case.id for case in folder(tmp_path / "d").cases] == ["P1"]
    with pytest.raises(CaseError, match="follow_links: true"):
        folder(tmp_path / "d")


@pytest.mark.parametrize("followed", [True, False])
def test_a_link_to_nothing_is_called_that(tmp_path: Path, followed: bool) -> None:
    image(tmp_path / "P1" / "seg.nii.gz")
    (tmp_path / "P1" / "T1.nii.gz").symlink_to("/nowhere/T1.nii.gz")
    with links_followed(followed), pytest.raises(CaseError, match=r"is a link to /nowhere/T1\.nii\.gz, and nothing is"):
        folder(tmp_path)


def test_inspect_offers_near_names_too(tmp_path: Path) -> None:
    for name in ("P1_T1", "P1_Flair", "P1_Mask"):
        image(tmp_path / "P1" / f"{name}.nii.gz")
    cohort = load("layouts", "folder")(
        tmp_path, modalities={"t1": "T1", "flair": "FLAIR"}, label="mask", regions={"r": [1]},
        may_lack=("images", "labels"),
    )  # fmt: skip
    (found,) = inspect_cohort(cohort).cases
    assert [fault.rpartition("; ")[2] for fault in found.faults] == [
        f"did you mean {name}.nii.gz? Capitals and spelling count" for name in ("P1_Flair", "P1_Mask")
    ]
    (allowed,) = inspect_cohort(cohort, incomplete=True).cases
    assert len(allowed.faults) == 1
