"""Images given to compare: overlays and the viewer in its report, of the right voxels, and bounded in number."""

import base64
import io
import json
import re
import unicodedata

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mrfusion.cli import app
from mrfusion.errors import InputError, Note, SpecError
from mrfusion.outside.images import images_in
from mrfusion.report.section import cases

SHAPE = (20, 24, 12)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def save(path, array, affine=AFFINE, like="RAS"):
    """Write a volume whose file has its axes in another order or direction, at the same place of the world."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(like))
    )
    nib.save(image.as_reoriented(turn), path)


def label_of(case):
    label = np.zeros(SHAPE, np.uint8)
    label[4 : 10 + case, 5:15, 3:9] = 1
    label[6:9, 7:11, 4:7] = 2
    return label


def write_cases(folder, count, *, like="RAS"):
    """Labels, two arms' predictions and two modalities of ``count`` cases; the head is a block with 0 around it."""
    rng = np.random.default_rng(0)
    for case in range(count):
        label = label_of(case % 6)
        save(folder / "labels" / f"c{case}.nii.gz", label)
        save(folder / "one" / f"c{case}.nii.gz", np.roll(label, 1, 0), like=like)
        save(folder / "two" / f"c{case}.nii.gz", np.roll(label, 2, 1))
        for modality in ("t1", "t2"):
            head = np.zeros(SHAPE, np.float32)
            head[2:18, 2:22, 1:11] = rng.normal(100, 20, (16, 20, 10)).clip(1)
            save(folder / "images" / f"c{case}_{modality}.nii.gz", head, like="LPS")


def compare(folder, images="images"):
    arguments = ["compare", "--labels", folder / "labels", "--arm", f"one={folder}/one", "--arm", f"two={folder}/two"]
    arguments += ["--regions", "WT=1+2,TC=2", "--reference", "one", "--out", folder / "out", "--workers", "1"]
    arguments += ["--images", folder / images] if images else []
    return CliRunner().invoke(app, [str(a) for a in arguments])


def volumes(page):
    return json.loads(re.search(r'id="volumes">(.*?)</script>', page, re.DOTALL).group(1))


def mask(uri, shape):
    """The mask (X, Y, Z) out of the page: rows are (z, y)."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    return picture.reshape(shape[2], shape[1], shape[0]).transpose(2, 1, 0)


def test_the_page_shows_the_voxels_of_the_files(tmp_path):
    write_cases(tmp_path, 6, like="PIL")
    done = compare(tmp_path)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.html", "report.json", "report.md", "report.tex", "scores.csv",
    ]  # fmt: skip
    found = volumes(page)
    assert [one["id"] for one in found] == ["c0", "c1", "c2"]
    for case, one in enumerate(found):
        assert one["spacing"] == [1, 1, 2]
        assert [name for name, _ in one["images"]] == ["t1", "t2"]
        box = (slice(2, 18), slice(2, 22), slice(1, 11))  # the head: target and predictions lie inside
        label = label_of(case)
        for uri, expected in (
            (one["target"], label),
            (one["arms"][0][2], np.roll(label, 1, 0)),
            (one["arms"][1][2], np.roll(label, 2, 1)),
        ):
            bits = (expected > 0) + 2 * (expected == 2)
            assert np.array_equal(mask(uri, one["shape"]), bits[box])
        assert [arm for arm, _, _ in one["arms"]] == ["one", "two"]
    assert page.count('<article class="case"') == 6
    assert page.count("<figure>\n      <svg viewBox=") == 12
    assert "No picture was kept" not in page


def test_cases_without_an_image_are_named_and_compared_all_the_same(tmp_path):
    write_cases(tmp_path, 6)
    for name in ("c1_t1", "c1_t2", "c4_t1"):
        (tmp_path / "images" / f"{name}.nii.gz").unlink()
    far = np.diag([1.0, 1.0, 3.0, 1.0])
    save(tmp_path / "images" / "c5_t2.nii.gz", np.ones(SHAPE, np.float32), affine=far)
    with pytest.warns(Note) as notes:
        done = compare(tmp_path)
    assert done.exit_code == 0, done.output
    assert [str(note.message) for note in notes] == [
        "--images: found no image of some cases, which are not drawn: c1 (1 of 6 cases)",
        "--images: images on another grid than the label are not drawn: c5 (1 of 5 cases)",
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert [one["id"] for one in volumes(page)] == ["c0", "c2", "c3"]
    assert page.count("No picture was kept of this case.") == 1
    scored = (tmp_path / "out" / "scores.csv").read_text()
    assert "c1" in scored


def test_the_number_of_pictures_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(cases, "MOST_DRAWN", 2)
    write_cases(tmp_path, 9)
    assert compare(tmp_path).exit_code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert len(volumes(page)) == 3
    assert page.count('<div class="panels"') == 4  # best, median and the two worst
    assert page.count("Not drawn: only the 2 worst cases are.") == 5
    assert "runs/" not in page


@pytest.mark.parametrize(
    ("images", "said"), [("labels", "expected images in"), ("nowhere", "expected a folder of images at")]
)
def test_a_folder_without_images_is_refused_before_anything_is_scored(tmp_path, images, said):
    write_cases(tmp_path, 3)
    for path in (tmp_path / "labels").iterdir():
        path.rename(path.with_name(path.name.replace(".nii", "_seg.nii")))
    done = compare(tmp_path, images=images)
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_images_need_masks(tmp_path):
    (tmp_path / "t.csv").write_text("arm,case,value\na,c,1\nb,c,1\n")
    call = ["compare", str(tmp_path / "t.csv"), "--images", str(tmp_path), "--reference", "a", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, call)
    assert isinstance(done.exception, SpecError)
    assert "found tables, which hold no masks to draw" in str(done.exception)


def test_names_tell_case_and_modality(tmp_path):
    names = ["c1_0000", "c1_0001", "c10_0000", "c1_2_0000", "c1-seg", "other_0000", "c3/t1", "c3/c3-flair", "c3/mask"]
    for name in names:
        path = tmp_path / "imagesTr" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}}))
    found = images_in(tmp_path / "imagesTr", ["c1", "c10", "c1_2", "c3", "c4"])
    assert {case: [*one.images] for case, one in found.items()} == {
        "c1": ["T1", "T2"], "c10": ["T1"], "c1_2": ["T1"], "c3": ["flair", "t1"],
    }  # fmt: skip
    with pytest.raises(InputError, match="whose names begin with a case's, as in c9"):
        images_in(tmp_path / "imagesTr", ["c9"])


def test_a_name_is_found_in_either_form_of_unicode(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    (tmp_path / f"{apart}_t1.nii.gz").touch()
    inner = tmp_path / unicodedata.normalize("NFD", "Zoë")
    inner.mkdir()
    (inner / "t2.nii").touch()
    found = images_in(tmp_path, [composed, "Zoë"])
    assert {case: list(one.images) for case, one in found.items()} == {composed: ["t1"], "Zoë": ["t2"]}


def test_the_folder_of_a_study_is_not_overwritten(tmp_path):
    write_cases(tmp_path, 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.json").write_text("{}")
    done = compare(tmp_path, images=None)
    assert isinstance(done.exception, InputError)
    assert "is the folder of a study" in str(done.exception)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["study.json"]
