"""The cohort on disk: names, bytes that follow from the seed alone, and what happens to a folder that is in use."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from mrfusion.errors import OutputError, SpecError
from mrfusion.phantom import cohort
from mrfusion.phantom.cohort import write_cohort
from mrfusion.phantom.fields import Grid

SPACING_MM = 8.0
KINDS = ("t1n", "t1c", "t2w", "t2f", "seg")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.nii.gz"))}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("phantom") / "P", cases=4, spacing_mm=SPACING_MM, seed=3)


def test_names_are_those_of_brats_2023(phantom: Path) -> None:
    expected = {f"BraTS-GLI-{i:05d}-000/BraTS-GLI-{i:05d}-000-{kind}.nii.gz" for i in range(4) for kind in KINDS}
    assert set(files_of(phantom)) == expected
    assert {p.name for p in phantom.iterdir() if p.is_file()} == {"participants.csv", "phantom.json"}


def test_table_points_at_the_files(phantom: Path) -> None:
    with (phantom / "participants.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["case", "patient", "t1n", "t1c", "t2w", "t2f", "label_map", "label"]
    assert len({row["patient"] for row in rows}) == 4
    for row in rows:
        assert row["case"].startswith(row["patient"] + "-")
        assert row["label"] in ("high", "low")
        assert all((phantom / row[column]).is_file() for column in ("t1n", "t1c", "t2w", "t2f", "label_map"))


def test_a_box_is_the_same_head_cut_around_the_tumour(phantom: Path, tmp_path: Path) -> None:
    boxed = write_cohort(tmp_path / "B", cases=4, spacing_mm=SPACING_MM, seed=3, control="complementary(box_mm=80)")
    for name in (folder.name for folder in phantom.iterdir() if folder.is_dir()):
        small, large = (nib.load(root / name / f"{name}-t2f.nii.gz") for root in (boxed, phantom))
        assert small.shape == (10, 10, 10)
        start = np.rint(np.linalg.inv(large.affine) @ small.affine[:, 3])[:3].astype(int)
        cut = np.asarray(large.dataobj)[tuple(slice(s, s + 10) for s in start)]
        np.testing.assert_array_equal(np.asarray(small.dataobj), cut)
        core = np.isin(np.asarray(nib.load(boxed / name / f"{name}-seg.nii.gz").dataobj), (1, 3))
        whole = np.isin(np.asarray(nib.load(phantom / name / f"{name}-seg.nii.gz").dataobj), (1, 3))
        assert core.sum() == whole.sum()
    with pytest.raises(OutputError, match=r"complementary\(box_mm=80\)"):
        write_cohort(tmp_path / "B", cases=4, spacing_mm=SPACING_MM, seed=3)
    with pytest.raises(SpecError, match="boxes of 16 mm or more"):
        write_cohort(tmp_path / "C", cases=4, control="xor(box_mm=3)")


def test_volumes_share_a_grid_and_are_stripped(phantom: Path) -> None:
    for folder in sorted(p for p in phantom.iterdir() if p.is_dir()):
        images = {kind: nib.load(folder / f"{folder.name}-{kind}.nii.gz") for kind in KINDS}
        for image in images.values():
            assert image.shape == Grid(SPACING_MM).shape
            np.testing.assert_array_equal(image.affine, images["seg"].affine)
            assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
            np.testing.assert_allclose(image.header.get_zooms(), SPACING_MM)
        brain = np.asarray(images["t1n"].dataobj) > 0
        assert 0.1 < brain.mean() < 0.6
        for kind in KINDS[:4]:
            assert images[kind].get_data_dtype() == np.int16
            np.testing.assert_array_equal(np.asarray(images[kind].dataobj) > 0, brain)


def test_labels_are_nested_and_inside_the_brain(phantom: Path) -> None:
    seen = set()
    for path in sorted(phantom.rglob("*-seg.nii.gz")):
        labels = np.asarray(nib.load(path).dataobj)
        brain = np.asarray(nib.load(str(path).replace("seg", "t1n")).dataobj) > 0
        assert labels.dtype == np.uint8
        assert (labels > 0).any()
        assert not labels[~brain].any()
        seen |= set(np.unique(labels).tolist())
    assert seen == {0, 1, 2, 3}


def test_a_second_writing_gives_the_same_bytes_with_more_workers_and_fewer_cases(phantom: Path, tmp_path: Path) -> None:
    again = write_cohort(tmp_path / "again", cases=3, spacing_mm=SPACING_MM, seed=3, workers=3)
    here, there = files_of(phantom), files_of(again)
    assert len(there) == 15
    assert all(here[name] == there[name] for name in there)
    other = write_cohort(tmp_path / "other", cases=1, spacing_mm=SPACING_MM, seed=4)
    assert all(here[name] != content for name, content in files_of(other).items())


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    out, seen = tmp_path / "P", []
    write_cohort(out, cases=1, spacing_mm=SPACING_MM)
    first = out / cohort.case_name(0) / f"{cohort.case_name(0)}-seg.nii.gz"
    stamp = first.stat().st_mtime_ns
    write_cohort(out, cases=2, spacing_mm=SPACING_MM, progress=lambda *step: seen.append(step))
    assert seen == [(2, 2, cohort.case_name(1))]
    assert first.stat().st_mtime_ns == stamp
    assert json.loads((out / "phantom.json").read_text())["cases"] == 2
    assert len((out / "participants.csv").read_text().splitlines()) == 3
    write_cohort(out, cases=2, spacing_mm=SPACING_MM, progress=lambda *step: seen.append(step))
    assert len(seen) == 1


def test_an_interrupted_writing_leaves_no_folder_and_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = cohort.make_subject

    def stops(seed: int, index: int, *rest: Any) -> object:
        if index == 1:
            raise KeyboardInterrupt
        return make(seed, index, *rest)

    monkeypatch.setattr(cohort, "make_subject", stops)
    out, seen = tmp_path / "P", []
    with pytest.raises(KeyboardInterrupt):
        write_cohort(out, cases=2, spacing_mm=SPACING_MM)
    assert not out.exists()
    monkeypatch.setattr(cohort, "make_subject", make)
    write_cohort(out, cases=2, spacing_mm=SPACING_MM, progress=lambda *step: seen.append(step))
    assert [step[2] for step in seen] == [cohort.case_name(1)]
    assert not list(tmp_path.glob(".*"))


def test_what_another_phantom_left_is_not_taken_up(tmp_path: Path) -> None:
    partial = tmp_path / ".P.partial"
    (partial / cohort.case_name(0)).mkdir(parents=True)
    (partial / "phantom.json").write_text(json.dumps({"cases": 1, "seed": 99}))
    write_cohort(tmp_path / "P", cases=1, spacing_mm=SPACING_MM)
    assert len(files_of(tmp_path / "P")) == 5


@pytest.mark.parametrize("changed", [{"seed": 4}, {"control": "xor"}, {"spacing_mm": 9.0}, {"cases": 3}])
def test_another_phantom_is_left_alone(phantom: Path, changed: dict[str, object]) -> None:
    options = {"cases": 4, "spacing_mm": SPACING_MM, "seed": 3} | changed
    with pytest.raises(OutputError, match="another phantom"):
        write_cohort(phantom, **options)  # type: ignore[arg-type]


def test_a_foreign_folder_or_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(OutputError, match="not empty"):
        write_cohort(tmp_path, cases=1)
    with pytest.raises(OutputError, match="is a file"):
        write_cohort(tmp_path / "thesis.tex", cases=1)
    with pytest.raises(OutputError, match="cannot write"):
        write_cohort(tmp_path / "thesis.tex" / "P", cases=1)


def test_a_full_disk_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        write_cohort(tmp_path / "P", cases=1, spacing_mm=SPACING_MM)
    assert not (tmp_path / "P").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "--cases"),
        ({"cases": 100_001}, "--cases"),
        ({"cases": 1, "spacing_mm": 0.1}, "--spacing"),
        ({"cases": 1, "spacing_mm": float("nan")}, "--spacing"),
        ({"cases": 1, "seed": -1}, "--seed"),
        ({"cases": 1, "workers": 0}, "--workers"),
        ({"cases": 1, "control": "xxor"}, "did you mean 'xor'"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        write_cohort(tmp_path / "P", **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
