"""Folders against folders: which file belongs to which, what values mean, and what is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from mrfusion.errors import CaseError, Note, SpecError
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.pairing import pairs
from mrfusion.scoring.question import question


def save(path: Path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([1, 1, 2, 1]) if affine is None else affine), path)
    return path


def label_map(value=1, shape=(8, 9, 10)):
    array = np.zeros(shape, np.uint8)
    array[2:5, 2:6, 3:7] = value
    return array


@pytest.mark.parametrize(
    ("prediction", "label"),
    [
        ("p1.nii.gz", "p1.nii.gz"),
        ("p1_pred.nii", "p1-seg.nii.gz"),
        ("p1-prediction.nii.gz", "p1/p1-seg.nii.gz"),
        ("p1/p1.nii.gz", "p1/seg.nii.gz"),
        ("p1.nii", "p1/p1_GT.nii"),
    ],
)
def test_files_find_each_other(tmp_path, prediction, label):
    save(tmp_path / "a" / prediction, label_map())
    save(tmp_path / "b" / label, label_map())
    assert [pair.case for pair in pairs(tmp_path / "a", tmp_path / "b", ["mask"])] == ["p1"]
    scores = score_folders(tmp_path / "a", tmp_path / "b", question(metrics="dice,volume_mm3"))
    assert [(s.case, s.region, s.metric, s.value) for s in scores] == [
        ("p1", "mask", "dice", 1.0),
        ("p1", "mask", "volume_mm3", 96.0),
    ]


def test_images_beside_a_label_map_are_not_taken_for_it(tmp_path):
    for name in ("p1_t1c", "p1_t2f", "p1_seg"):
        save(tmp_path / "b" / "p1" / f"{name}.nii.gz", label_map())
    save(tmp_path / "a" / "p1.nii.gz", label_map())
    (pair,) = pairs(tmp_path / "a", tmp_path / "b", [])
    assert pair.label[""].name == "p1_seg.nii.gz"
    (tmp_path / "b" / "p1" / "p1_seg.nii.gz").unlink()
    with pytest.raises(CaseError, match="case p1: which of p1_t1c"):
        pairs(tmp_path / "a", tmp_path / "b", [])


def test_missing_and_ambiguous_cases_are_named(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    save(a / "p1.nii.gz", label_map())
    save(b / "p1.nii.gz", label_map())
    save(b / "p2.nii.gz", label_map())
    with pytest.raises(CaseError, match=r"case p2: a label in .* but no prediction"):
        score_folders(a, b, question())
    assert {s.case for s in score_folders(a, b, question(metrics="dice"), selection=True)} == {"p1"}
    save(a / "p3.nii.gz", label_map())
    with pytest.raises(CaseError, match=r"case p3: a prediction in .* but no label"):
        score_folders(a, b, question(), selection=True)
    save(a / "p1_seg.nii.gz", label_map())
    with pytest.raises(CaseError, match=r"case p1: .* both claim it"):
        score_folders(a, b, question())
    with pytest.raises(CaseError, match="found nothing"):
        score_folders(tmp_path / "none", b, question())


def test_shape_and_affine_must_agree(tmp_path):
    save(tmp_path / "a" / "p1.nii.gz", label_map())
    save(tmp_path / "b" / "p1.nii.gz", label_map(shape=(8, 9, 11)))
    with pytest.raises(CaseError, match=r"case p1: .*\(8, 9, 10\) but .*\(8, 9, 11\)"):
        score_folders(tmp_path / "a", tmp_path / "b", question())
    moved = np.diag([1.0, 1, 2, 1])
    moved[0, 3] = 5
    save(tmp_path / "b" / "p1.nii.gz", label_map(), moved)
    with pytest.raises(CaseError, match=r"case p1: .* lie up to 5.0 mm apart"):
        score_folders(tmp_path / "a", tmp_path / "b", question())


def test_what_values_mean_is_said_and_never_guessed(tmp_path):
    a, b = (
        save(tmp_path / "a" / "p1.nii.gz", label_map(4)).parent,
        save(tmp_path / "b" / "p1.nii.gz", label_map(4)).parent,
    )
    with pytest.raises(
        CaseError, match=r"case p1, prediction \S+: expected the values \[0, 1, 2, 3\], found 4 \(48 voxels\)"
    ):
        score_folders(a, b, question("brats2023-MEN"))
    scores = score_folders(a, b, question("brats2023-MEN", metrics="volume_mm3", values="brats2021"))
    assert {(s.region, s.value) for s in scores} == {("WT", 96.0), ("TC", 96.0), ("ET", 96.0)}
    with pytest.warns(Note, match="none is in none of the 1 labels"):
        scores = score_folders(a, b, question(regions="all=1+4,none=7", values="4=4,7=7,1=1", metrics="volume_mm3"))
    assert {(s.region, s.value) for s in scores} == {("all", 96.0), ("none", 0.0)}
    with pytest.warns(Note, match="mask is in none of the 1 labels"):
        scores = score_folders(a, b, question(values="1=1,4=0", metrics="volume_mm3"))
    assert [s.value for s in scores] == [0.0]


def test_one_file_per_overlapping_region(tmp_path):
    for name, value in (("WT", 1), ("ET", 0)):
        save(tmp_path / "a" / f"p1_{name}.nii.gz", label_map(value))
    save(tmp_path / "b" / "p1" / "WT.nii.gz", label_map())
    save(tmp_path / "b" / "p1" / "ET.nii.gz", label_map())
    scores = score_folders(tmp_path / "a", tmp_path / "b", question(regions="WT=1+3,ET=3", metrics="dice"))
    assert [(s.case, s.region, s.value) for s in scores] == [("p1", "WT", 1.0), ("p1", "ET", 0.0)]
    (tmp_path / "a" / "p1_ET.nii.gz").unlink()
    with pytest.raises(CaseError, match="case p1: masks of WT but none of ET"):
        score_folders(tmp_path / "a", tmp_path / "b", question(regions="WT=1+3,ET=3"))


def test_flat_images_and_png(tmp_path):
    flat = label_map()[:, :, 4]
    for folder in ("a", "b"):
        save(tmp_path / folder / "p1.nii.gz", flat[:, :, None], np.diag([0.5, 0.5, 5, 1]))
    (score,) = score_folders(tmp_path / "a", tmp_path / "b", question(metrics="volume_mm3"))
    assert score.value == 12 * 0.25
    for folder in ("c", "d"):
        (tmp_path / folder).mkdir()
        Image.fromarray(flat).save(tmp_path / folder / "p1.png")
    (score,) = score_folders(tmp_path / "c", tmp_path / "d", question(metrics="hd95"))
    assert score.value == 0.0
    Image.fromarray(np.stack([flat] * 3, axis=-1)).save(tmp_path / "c" / "p1.png")
    with pytest.raises(CaseError, match="not colours"):
        score_folders(tmp_path / "c", tmp_path / "d", question())


def test_whole_floats_are_labels_and_others_are_refused(tmp_path):
    save(tmp_path / "a" / "p1.nii.gz", label_map().astype(np.float32) * 1.0002)
    save(tmp_path / "b" / "p1.nii.gz", label_map().astype(np.float64))
    with pytest.warns(Note, match="case p1: p1.nii.gz: 48 label values were rounded to whole numbers"):
        (score,) = score_folders(tmp_path / "a", tmp_path / "b", question(metrics="dice"))
    assert score.value == 1.0
    save(tmp_path / "a" / "p1.nii.gz", label_map().astype(np.float32) * 0.7)
    with pytest.raises(CaseError, match="whole numbers"):
        score_folders(tmp_path / "a", tmp_path / "b", question())


def test_a_damaged_file_is_one_message(tmp_path):
    path = save(tmp_path / "a" / "p1.nii.gz", label_map())
    save(tmp_path / "b" / "p1.nii.gz", label_map())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CaseError, match=r"p1\.nii\.gz"):
        score_folders(tmp_path / "a", tmp_path / "b", question())


def test_many_cases_side_by_side_come_back_in_order_with_progress(tmp_path):
    for number in range(6):
        save(tmp_path / "a" / f"p{number}.nii.gz", np.roll(label_map(3), number % 3, axis=0))
        save(tmp_path / "b" / f"p{number}.nii.gz", label_map(3))
    told = []
    asked = question("brats2023-MEN")
    many = score_folders(tmp_path / "a", tmp_path / "b", asked, workers=3, progress=lambda *step: told.append(step))
    assert many == score_folders(tmp_path / "a", tmp_path / "b", asked)
    assert [s.case for s in many] == sorted(s.case for s in many)
    assert [step[:2] for step in told] == [(k + 1, 6) for k in range(6)]


@pytest.mark.parametrize(
    "options",
    [
        {"regions": "WT=1+x"},
        {"regions": "WT"},
        {"values": "1:1"},
        {"metrics": "dise"},
        {"metrics": "nsd(2)"},
        {"variant": "mean"},
        {"rules": "x"},
    ],
)
def test_questions_that_cannot_be_asked(options):
    with pytest.raises(SpecError):
        question(**options)


@pytest.mark.parametrize("apart", [False, True], ids=["label maps", "masks"])
def test_a_region_that_no_label_holds_is_said(tmp_path, apart):
    """With both masks empty the Dice is 1, whatever the prediction is worth."""
    for case in ("p1", "p2"):
        for side in ("a", "b"):
            if apart:
                save(tmp_path / side / f"{case}_WT.nii.gz", label_map())
                save(tmp_path / side / f"{case}_ET.nii.gz", label_map(0))
            else:
                save(tmp_path / side / f"{case}.nii.gz", label_map())
    with pytest.warns(Note, match=r"^ET is in none of the 2 labels: where both masks are empty the Dice is 1") as told:
        scores = score_folders(tmp_path / "a", tmp_path / "b", question(regions="WT=1,ET=3", metrics="dice"))
    assert len(told) == 1
    assert {(score.region, score.value) for score in scores} == {("WT", 1.0), ("ET", 1.0)}
