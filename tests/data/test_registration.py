"""Registration: a shift of more than half a voxel between masks of the same tissue is told, what a grid does is not."""

import nibabel as nib
import numpy as np
import pytest

from mrfusion import families
from mrfusion.case import Case
from mrfusion.data.prepared import resampler
from mrfusion.data.registration import misplaced
from mrfusion.data.volume import Target, read_volume
from mrfusion.inspection.look import inspect_cohort
from mrfusion.layouts._base import MAY_LACK

STS = {
    "modalities": {"mr_t1": "MR_T1_image", "pet": "PET_image", "ct": "CT_image"},
    "label": {"mr_t1": "MR_T1_mask", "pet": "PET_mask", "ct": "CT_mask"},
    "regions": {"tumour": [1]},
}


def ball(path, spacing, *, centre=(20.0, 22.0, 18.0), radius=9.0):
    """A ball at one place in the world, on a grid of this spacing over 40 mm."""
    affine = np.diag([*spacing, 1.0])
    shape = [round(40 / s) for s in spacing]
    world = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"))
    inside = np.linalg.norm(world - np.reshape(centre, (3, 1, 1, 1)), axis=0) < radius
    nib.save(nib.Nifti1Image(inside.astype(np.uint8), affine), path)
    return path


def case_of(tmp_path, **masks):
    return Case("a", "a", {}, ball(tmp_path / "mr.nii.gz", (1, 1, 3)), masks=masks)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 5, 3), (2.5, 4, 6)])
def test_another_grid_moves_nothing(spacing, tmp_path):
    assert misplaced(case_of(tmp_path, pet=ball(tmp_path / "pet.nii.gz", spacing))) == []


@pytest.mark.parametrize(("shift", "told"), [(1.4, False), (1.7, True), (7.0, True)])
def test_more_than_half_a_voxel_is_told(shift, told, tmp_path):
    moved = ball(tmp_path / "ct.nii.gz", (1, 1, 3), centre=(20 + shift, 22, 18))
    found = misplaced(case_of(tmp_path, ct=moved))
    assert bool(found) is told
    if told:
        assert f"ct is not registered: the centre of ct.nii.gz lies {shift:.1f} mm from that of mr.nii.gz" in found[0]


def test_one_mask_says_nothing_and_an_empty_one_that_it_cannot_be_told(tmp_path):
    assert misplaced(case_of(tmp_path)) == []
    empty = ball(tmp_path / "e.nii.gz", (1, 1, 3), radius=0)
    assert misplaced(case_of(tmp_path, pet=empty)) == [
        "pet: e.nii.gz is empty, so whether it lies where it should cannot be told"
    ]


def test_sarcomas_of_three_modalities_are_one_cohort_and_the_misplaced_ct_is_told(data_root):
    cohort = families.load("layouts", "folder")(data_root / "sts", **STS, may_lack=MAY_LACK)
    assert len(cohort.cases) == len(list((data_root / "sts").glob("STS_*")))
    assert not any(misplaced(case) for case in cohort.cases)
    bad = families.load("layouts", "folder")(data_root / "sts_misregistered", **STS)
    [fault] = misplaced(bad.cases[0])
    assert fault.startswith("ct is not registered: the centre of CT_mask.nii.gz lies 7.4 mm")


def test_inspection_counts_it_as_a_fault(tmp_path):
    for name, spacing, shift in (("mr", (1, 1, 3), 0.0), ("ct", (1, 1, 3), 5.0)):
        home = tmp_path / "a"
        home.mkdir(exist_ok=True)
        ball(home / f"{name}_mask.nii.gz", spacing, centre=(20 + shift, 22, 18))
        nib.save(
            nib.Nifti1Image(np.ones((40, 40, 13), np.float32), np.diag([1, 1, 3, 1.0])), home / f"{name}_image.nii.gz"
        )
    options = {"modalities": {"mr": "mr_image", "ct": "ct_image"}, "label": "mr_mask", "regions": {"tumour": [1]}}
    plain = families.load("layouts", "folder")(tmp_path, **options)
    assert not inspect_cohort(plain).faulty
    cohort = families.load("layouts", "folder")(tmp_path, **{**options, "label": {"mr": "mr_mask", "ct": "ct_mask"}})
    assert cohort.fingerprint == plain.fingerprint
    [found] = inspect_cohort(cohort).faulty
    assert "ct is not registered" in found.faults[0]


def test_the_patients_mr_pet_and_ct_come_to_the_grid_of_mr(data_root):
    cohort = families.load("layouts", "folder")(data_root / "sts", **STS, may_lack=MAY_LACK)
    volume = read_volume(cohort.case("STS_008"), cohort.modalities, (1,), onto=Target("mr_t1", resampler()))
    assert volume.images_MXYZ.shape == (3, 77, 79, 28)
    inside = volume.labels_XYZ > 0
    pet = volume.images_MXYZ[1]
    assert pet[inside].mean() > 2 * pet[~inside].mean()  # the tumour takes up the tracer where the mask of MR is
