"""Inspection: every fault of every case is found, each with its remedy, and the montage shows what is there."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from mrfusion import families
from mrfusion.case import Case, Cohort
from mrfusion.data.nifti import header
from mrfusion.data.read import read_cohort
from mrfusion.inspection.look import Inspection, inspect_cohort
from mrfusion.inspection.montage import COLOURS, write_montage
from mrfusion.layouts._base import MAY_LACK
from mrfusion.run_folder.slice_view import grey, upright
from mrfusion.spec import Source

OPTIONS = {"modalities": ["t1", "t2"], "label": "seg", "regions": {"whole": [1, 2], "core": [1]}}
SHAPE = (20, 24, 10)


@pytest.fixture
def folder(tmp_path):
    """Five sound cases of a ball within a ball, at 2 x 2 x 5 mm."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")
    radius = np.sqrt(x**2 + y**2 + 4 * z**2)
    labels = (radius < 6).astype(np.uint8) * 2
    labels[radius < 3] = 1
    for number, name in enumerate("abcde"):
        noise = np.random.default_rng(number).integers(50, 99, (2, *SHAPE))
        save(tmp_path, name, t1=noise[0] * (radius < 9), t2=noise[1] * (radius < 9), seg=labels)
    return tmp_path


def save(root, name, **arrays):
    (root / name).mkdir(exist_ok=True)
    for key, array in arrays.items():
        nib.save(nib.Nifti1Image(array.astype(np.int16), np.diag([2.0, 2, 5, 1])), root / name / f"{key}.nii.gz")


def test_a_modality_that_may_lack_is_a_note(folder):
    (folder / "a" / "t1.nii.gz").unlink()
    cohort = families.load("layouts", "folder")(folder, **OPTIONS, may_lack=["images"])
    assert [one.case for one in inspect_cohort(cohort).faulty] == ["a"]
    found = inspect_cohort(cohort, incomplete=True)
    assert not found.faulty
    assert found.cases[0].notes == ("t1 is absent, as may_lack allows",)


def inspected(root, options, **more) -> Inspection:
    """As the command looks at a folder."""
    source = Source(path=root, layout="folder", options={**options, "may_lack": MAY_LACK})
    return inspect_cohort(read_cohort([source]), **more)


def test_a_sound_data_set_is_counted(folder):
    steps = []
    found = inspected(folder, OPTIONS, progress=lambda *step: steps.append(step))
    assert (found.patients, found.faulty, found.modalities, found.regions) == (5, (), ("t1", "t2"), ("whole", "core"))
    assert found.grids() == {"20 x 24 x 10 at 2 x 2 x 5 mm": 5}
    labels = np.asarray(nib.load(folder / "a" / "seg.nii.gz").dataobj)
    one = found.cases[0]
    assert one.label_voxels == {"whole": (labels > 0).sum(), "core": (labels == 1).sum()}
    assert one.label_ml["core"] == pytest.approx((labels == 1).sum() * 0.02)
    assert steps[-1] == (5, 5, "e")
    assert json.loads(json.dumps(found.as_json()))["cases"][0]["case"] == "a"


def test_every_fault_is_collected_with_its_remedy(folder):
    (folder / "a" / "t1.nii.gz").unlink()
    (folder / "a" / "t2.nii.gz").write_text("text")
    (folder / "b" / "seg.nii.gz").unlink()
    labels = np.zeros(SHAPE)
    labels[3, 3, 3] = 7
    save(folder, "c", seg=labels)
    save(folder, "d", t2=np.ones((20, 24, 9)))
    raw = gzip.decompress((folder / "e" / "t1.nii.gz").read_bytes())
    (folder / "e" / "t1.nii.gz").write_bytes(gzip.compress(raw)[:-300])
    (folder / "e" / "t2.nii.gz").write_bytes(b"")
    faults = {one.case: one.faults for one in inspected(folder, OPTIONS).cases}
    assert [fault.split(";")[0] for fault in faults["a"][:1]] == ["t1 is absent"]
    assert "expected a gzip file" in faults["a"][1]
    assert faults["b"] == ("lacks its label map; add it, or drop the case from training",)
    assert "found 7 (1 voxels)" in faults["c"][0]
    assert "resample_to: t1" in faults["d"][0]
    assert ["t1.nii.gz" in faults["e"][0], "t2.nii.gz" in faults["e"][1]] == [True, True]


def test_one_examination_under_two_names_is_a_fault(folder):
    for key in ("t1", "t2", "seg"):
        (folder / "e" / f"{key}.nii.gz").write_bytes((folder / "b" / f"{key}.nii.gz").read_bytes())
    found = inspected(folder, OPTIONS)
    assert [one.case for one in found.faulty] == ["e"]
    assert "voxel for voxel that of case b" in found.faulty[0].faults[0]
    assert not inspected(folder, {**OPTIONS, "patient": "^()"}).faulty


def test_flat_images_are_noted(folder):
    save(folder, "a", t1=np.zeros(SHAPE), t2=np.ones(SHAPE) * 4)
    notes = inspected(folder, OPTIONS).cases[0].notes
    assert notes == ("t1: every voxel is 0", "t2: every voxel that is not 0 is 4; it will be 0 throughout")


def test_a_montage_has_every_modality_case_and_region_colour(folder, tmp_path):
    (folder / "b" / "t2.nii.gz").unlink()
    found = inspected(folder, OPTIONS)
    assert [view.case for view in found.views] == list("abcde")
    write_montage(tmp_path / "m.png", found)
    with Image.open(tmp_path / "m.png") as image:
        picture = np.asarray(image)
    assert picture.shape[0] > 2 * 220
    assert picture.shape[1] > 5 * 220
    for colour in COLOURS[:2]:
        assert (picture == colour).all(axis=2).sum() > 500


def test_a_montage_of_nothing_says_so(folder, tmp_path):
    for path in folder.rglob("t?.nii.gz"):
        path.write_text("")
    write_montage(tmp_path / "m.png", inspected(folder, OPTIONS))
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.size[1] > 100


def test_slices_are_shown_anterior_up_and_right_on_the_left():
    right_anterior = np.zeros((4, 3))  # axes: to the right, to the front
    right_anterior[3, 2] = 1
    assert upright(right_anterior).shape == (3, 4)
    assert upright(right_anterior)[0, 0] == 1


def test_grey_keeps_background_black():
    plane = np.array([[0, 1, 2], [3, 0, 400]], np.float32)
    shown = grey(plane)
    assert ((shown == 0) == (plane == 0)).all()
    assert shown[1, 2] == 255
    assert not grey(np.zeros((2, 2))).any()


def test_classes_are_counted(class_cohort):
    found = inspect_cohort(class_cohort)
    assert found.classes == {"high": 1}
    assert found.cases[1].faults == ("lacks its class; fill it in, or drop the case from training",)


@pytest.fixture
def class_cohort(folder):
    cases = [Case(n, n, {m: folder / n / f"{m}.nii.gz" for m in ("t1", "t2")}) for n in "ab"]
    cases[0] = Case("a", "a", cases[0].images, label="high")
    return Cohort(("t1", "t2"), tuple(cases), classes=("high", "low"))


def test_the_fault_of_a_large_case_is_told_and_not_hidden_by_a_guard_of_one_file(tmp_path, monkeypatch):
    """A sparse label map beside images of its size is no bomb, whatever it compresses to."""
    monkeypatch.setattr(header, "FREE_VOXELS", 1000)
    random = np.random.default_rng(0)
    (tmp_path / "c").mkdir()
    shape = (40, 40, 40)
    labels = np.zeros(shape, np.uint8)
    labels[3, 3, 3] = 9
    nib.save(
        nib.Nifti1Image(random.integers(1, 30000, shape).astype(np.int16), np.eye(4)), tmp_path / "c" / "t1.nii.gz"
    )
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "c" / "seg.nii.gz")
    cohort = families.load("layouts", "folder(modalities=['t1'],label='seg',regions={'x':[1]})")(tmp_path)
    (found,) = inspect_cohort(cohort).cases
    (fault,) = found.faults
    assert "found 9 (1 voxels)" in fault
