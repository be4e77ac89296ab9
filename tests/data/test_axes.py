"""The same voxels stored in another order and direction of axes are the same case, at 45 degrees too.

There the axis of the world that is nearest to one of a file is a toss: two files of one image, each turned to RAS+ by
itself, may come out in different orders.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort, Region
from mrfusion.conversion.nnunet import write_nnunet
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.label_map import write_label_map
from mrfusion.data.volume import read_volume
from mrfusion.errors import CaseError
from mrfusion.progress import silent
from mrfusion.spec import Preparation

SHAPE = (5, 7, 4)
STORAGES = {
    "as it is": ((0, 1, 2), (1, 1, 1)),
    "two exchanged": ((1, 0, 2), (1, 1, 1)),
    "exchanged and mirrored": ((2, 1, 0), (-1, 1, 1)),
    "all moved": ((1, 2, 0), (1, -1, -1)),
}
random = np.random.default_rng(0)
IMAGE = random.integers(1, 99, SHAPE).astype(np.int16)
LABELS = (IMAGE > 50).astype(np.int16)


def turned_by(axis: int, degrees: float, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """An affine whose axes are turned about one of them."""
    affine, (i, j) = np.eye(4), [other for other in range(3) if other != axis]
    angle = np.deg2rad(degrees)
    affine[i, i] = affine[j, j] = np.cos(angle)
    affine[i, j], affine[j, i] = -np.sin(angle), np.sin(angle)
    affine[:3, 3] = 5, -7, 11
    return affine @ np.diag([*spacing_mm, 1])


def save(path: Path, array: NDArray[np.int16], affine: NDArray[np.float64], storage: str) -> Path:
    """The same voxels of the world in another order of storage."""
    order, directions = STORAGES[storage]
    change = np.column_stack([np.argsort(order), np.array(directions)[np.argsort(order)]]).astype(float)
    stored = nib.orientations.apply_orientation(array, change)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(stored, affine @ nib.orientations.inv_ornt_aff(change, array.shape)), path)
    return path


def case_of(folder: Path, affine: NDArray[np.float64], storage: str) -> Cohort:
    """A case whose second modality and labels are stored in another order than its first."""
    files = {"t1": save(folder / "t1.nii.gz", IMAGE, affine, "as it is")}
    files["t2"] = save(folder / "t2.nii.gz", 2 * IMAGE, affine, storage)
    labels = save(folder / "labels.nii.gz", LABELS, affine, storage)
    return Cohort(
        ("t1", "t2"), (Case("a", "a", files, labels, label_values={1: 1}),), (Region("whole", frozenset({1})),)
    )


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0)])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("degrees", [0, 45, 45.00001, -45, 135, 225])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_files_in_other_orders_of_axes_are_one_case(
    axis: int, degrees: float, storage: str, spacing_mm: tuple[float, float, float], tmp_path: Path
) -> None:
    cohort = case_of(tmp_path, turned_by(axis, degrees, spacing_mm), storage)
    volume = read_volume(cohort.cases[0], cohort.modalities, (1,))
    np.testing.assert_array_equal(2 * volume.images_MXYZ[0], volume.images_MXYZ[1])
    np.testing.assert_array_equal(volume.images_MXYZ[0] > 50, volume.labels_XYZ)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["a"]
    index = prepared.restore(np.asarray(prepared.labels(("t1", "t2"))), ("t1", "t2")).astype(np.uint8)
    write_label_map(tmp_path / "prediction.nii.gz", index, prepared.reference, [1])
    written = nib.load(tmp_path / "prediction.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), LABELS)  # in the order of the first modality's file
    np.testing.assert_allclose(written.affine, nib.load(tmp_path / "t1.nii.gz").affine, atol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_nnunet_s_files_lie_over_each_other(storage: str, tmp_path: Path) -> None:
    cohort = case_of(tmp_path / "in", turned_by(2, 45, (1, 1, 1)), storage)
    out = write_nnunet(cohort, tmp_path / "out", splits=(), progress=silent)
    first, second, labels = (
        nib.load(out / name) for name in ("imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz")
    )
    np.testing.assert_array_equal(2 * np.asarray(first.dataobj), np.asarray(second.dataobj))
    np.testing.assert_array_equal(np.asarray(first.dataobj) > 50, np.asarray(labels.dataobj))
    for other in (second, labels):
        np.testing.assert_allclose(other.affine, first.affine, atol=1e-4)


def test_other_voxels_are_still_refused(tmp_path: Path) -> None:
    cohort = case_of(tmp_path, turned_by(2, 45, (1, 1, 1)), "two exchanged")
    save(tmp_path / "t2.nii.gz", IMAGE, turned_by(2, 47, (1, 1, 1)), "two exchanged")
    with pytest.raises(CaseError, match="must share one grid"):
        read_volume(cohort.cases[0], cohort.modalities, (1,))
