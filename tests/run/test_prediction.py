"""Predictions in the case's own geometry and label convention, and the pictures that are kept of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray
from torch import Tensor, nn

from mrfusion.case import Case, Cohort, Region
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.label_map import can_be_painted
from mrfusion.data.load import load_case, open_case
from mrfusion.data.nifti.labels import read_labels
from mrfusion.losses._base import Output
from mrfusion.run.answers import masks_scored
from mrfusion.run.prediction import Prediction, as_written, predict_masks, safe_name, write_prediction
from mrfusion.run_folder.pictures import Panel, write_panel
from mrfusion.spec import Preparation
from mrfusion.training.assemble import make_model
from tiny import cpu, run_spec

REGIONS = (Region("WT", frozenset({1, 2, 3})), Region("TC", frozenset({1, 3})), Region("ET", frozenset({3})))
BRATS_2021 = {1: 1, 2: 2, 4: 3}
SHAPE = (14, 17, 9)


class ReadsTheAnswer(nn.Module):
    """A perfect network for a modality whose intensity is the label + 1: logits of WT, TC, ET."""

    def __init__(self, levels: dict[int, float]) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, images: Tensor, present: Tensor) -> Output:
        image = images[:, 0]
        nearest = torch.stack([(image - level).abs() for level in self.levels.values()]).argmin(0)
        label = torch.tensor(list(self.levels))[nearest]
        masks = [label > 0, (label == 1) | (label == 3), label == 3]
        return Output(torch.stack(masks, 1).float() * 2 - 1)


def labels_of() -> NDArray[np.uint8]:
    """Internal labels, no two directions alike, on RAS+ axes."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:9, 3:14, 2:6] = 2
    labels[3:8, 5:12, 2:5] = 1
    labels[4:7, 6:8, 3] = 3
    return labels


@pytest.fixture(params=["RAS", "LPS", "ASL", "IPR", "oblique"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A case stored in an odd orientation, its values those of BraTS 2021."""
    affine = np.array([[1.0, 0, 0, -20], [0, 1.5, 0, 7], [0, 0, 2, 3], [0, 0, 0, 1]])
    labels = labels_of()
    if request.param == "oblique":
        angle = np.radians(12)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        affine[:3, :3] = turn @ affine[:3, :3]
    image, seg = (nib.Nifti1Image(array, affine) for array in (labels.astype(np.int16) * 100 + 100, labels))
    if request.param != "oblique":
        change = ornt_transform(io_orientation(affine), axcodes2ornt(request.param))
        image, seg = image.as_reoriented(change), seg.as_reoriented(change)
    raw = np.asarray(seg.dataobj)
    seg = nib.Nifti1Image(np.where(raw == 3, 4, raw).astype(np.uint8), seg.affine, seg.header)
    for volume in (image, seg):
        volume.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "a_t1.nii.gz")
    nib.save(seg, tmp_path / "a_seg.nii.gz")
    return Case("a", "a", {"t1": tmp_path / "a_t1.nii.gz"}, tmp_path / "a_seg.nii.gz", label_values=BRATS_2021)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_perfect_prediction_is_the_label_map_itself(case: Case, dimensions: int, tmp_path: Path) -> None:
    """Same shape, affine, orientation, units and the convention 1/2/4 as the file that the case came with."""
    cohort = Cohort(("t1",), (case,), REGIONS)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["a"]
    loaded = load_case(case, cohort, prepared, ("t1",), None)
    levels = {label: float(loaded.images[:, 0][loaded.labels == label].mean()) for label in range(4)}
    size = (1, 16, 16) if dimensions == 2 else (4, 8, 8)
    spec = run_spec(sampling={"dimensions": dimensions})
    model = make_model(spec, cohort, network=ReadsTheAnswer(levels), size=size, fabric=cpu())
    prediction = predict_masks(case, prepared, loaded, ("t1",), model)
    assert prediction.masks.shape == (3, *SHAPE)
    written = nib.load(write_prediction(tmp_path / "out", prediction, prepared, cohort)[0])
    given, source = nib.load(tmp_path / "a_seg.nii.gz"), nib.load(case.images["t1"])
    assert np.array_equal(np.asarray(written.dataobj), np.asarray(given.dataobj))
    assert set(np.unique(np.asarray(written.dataobj))) == {0, 1, 2, 4}
    assert np.array_equal(written.affine, source.affine)
    for key in ("pixdim", "qform_code", "sform_code", "xyzt_units", "quatern_b", "qoffset_x", "srow_x"):
        assert np.array_equal(written.header[key], source.header[key]), key
    assert nib.aff2axcodes(written.affine) == nib.aff2axcodes(source.affine)


def test_slices_outside_the_runs_range_stay_empty(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(labels_of().astype(np.int16) * 100 + 100, np.eye(4)), tmp_path / "t1.nii.gz")
    case = Case("a", "a", {"t1": tmp_path / "t1.nii.gz"}, label_values={1: 1, 2: 2, 3: 3})
    cohort = Cohort(("t1",), (case,), REGIONS)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["a"]
    loaded = replace(load_case(case, cohort, prepared, ("t1",), None), slices=(3, 5))

    class Everything(nn.Module):
        def forward(self, images: Tensor, present: Tensor) -> Output:
            return Output(torch.ones(len(images), 3, *images.shape[2:]))

    model = make_model(run_spec(), cohort, network=Everything(), size=(1, 16, 16), fabric=cpu())
    prediction = predict_masks(case, prepared, loaded, ("t1",), model)
    axis = prepared.placement.slice_axis + 1
    filled = np.flatnonzero(prediction.masks.any(tuple(a for a in range(4) if a != axis)))
    assert filled.tolist() == [3, 4]
    assert prediction.prepared_masks[:, 3:5].all()


@pytest.mark.parametrize(("score", "slices"), [("slab", slice(2, 4)), ("whole", slice(0, 9))])
def test_a_run_on_a_slab_is_scored_there_or_on_whole_cases_as_it_says(
    score: str, slices: slice, tmp_path: Path
) -> None:
    """Counted by hand: the voxels of each region in slices 2 and 3 of 9, or in all of them."""
    for name, array in (("t1", labels_of() * 100 + 100), ("seg", labels_of())):
        nib.save(nib.Nifti1Image(array.astype(np.int16), np.eye(4)), tmp_path / f"{name}.nii.gz")
    case = Case("a", "a", {"t1": tmp_path / "t1.nii.gz"}, tmp_path / "seg.nii.gz", label_values={1: 1, 2: 2, 3: 3})
    cohort = Cohort(("t1",), (case,), REGIONS)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["a"]
    spec = run_spec(sampling={"slices": [2 / 9, 4 / 9], "score": score})
    empty = np.zeros((3, *SHAPE), bool)
    found = masks_scored(spec, cohort, empty, prepared=prepared, metrics=("target_volume_mm3",))
    inside = labels_of()[:, :, slices]
    expected = {"WT": (inside > 0).sum(), "TC": np.isin(inside, (1, 3)).sum(), "ET": (inside == 3).sum()}
    assert {row.region: row.value for row in found} == pytest.approx(expected)
    opened = open_case(case, cohort, prepared, ("t1",), spec.sampling.scored_slices)
    first, last = opened.loaded.slices
    assert (last - first == len(opened.loaded.labels)) == (score == "whole"), "as many slices are predicted as scored"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("BraTS-GLI-00001-000", "BraTS-GLI-00001-000"), ("a/b", "a_b"), ("../../x", "_.._x"), ("a\\b:c", "a_b_c"),
     ("...", "_"), ("", "_"), ("a\nb\0", "a_b_"), (".hidden", "hidden"), ("é 1", "é 1")],
)  # fmt: skip
def test_names_of_files_stay_in_their_folder(name: str, expected: str, tmp_path: Path) -> None:
    assert safe_name(name) == expected
    assert (tmp_path / f"{safe_name(name)}.nii.gz").resolve().parent == tmp_path.resolve()


def panel_of(**changes: Any) -> Panel:
    """Two modalities over (S, H, W) = (4, 5, 6); the target is largest in slice 2."""
    target = np.zeros((2, 4, 5, 6), bool)
    target[0, 1, 1, 1] = target[0, 2, 3, 1:4] = True
    images = np.random.default_rng(0).normal(size=(4, 2, 5, 6)).astype(np.float16)
    images[:, :, 0] = 0
    panel = Panel("c", ("t1", "t2"), images, ("WT", "ET"), target, np.zeros_like(target), (3.0, 1.0, 2.0))
    return replace(panel, **changes)


def read(path: Path) -> dict[str, NDArray[np.generic]]:
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def test_a_panel_keeps_the_most_telling_slice_upright(tmp_path: Path) -> None:
    panel = panel_of()
    write_panel(tmp_path / "0.npz", panel)
    found = read(tmp_path / "0.npz")
    assert (str(found["case"]), int(found["index"])) == ("c", 2)
    assert found["modalities"].tolist() == ["t1", "t2"]
    assert found["regions"].tolist() == ["WT", "ET"]
    assert found["images"].shape == (2, 6, 5)
    assert found["images"].dtype == found["target"].dtype == np.uint8
    assert found["target"].shape == found["prediction"].shape == (2, 6, 5)
    # H runs left to right in RAS+ and W from behind to the front: radiologists see left on the right, front on top
    expected = np.rot90(panel.target[0, 2], 1)[:, ::-1]
    assert np.array_equal(found["target"][0].astype(bool), expected)
    assert (found["images"] == 0).sum() == 2 * 6


def test_a_panel_without_target_shows_the_prediction_or_the_middle(tmp_path: Path) -> None:
    empty = np.zeros((2, 4, 5, 6), bool)
    prediction = empty.copy()
    prediction[1, 3, 2, 2] = True
    write_panel(tmp_path / "1.npz", panel_of(target=empty, prediction=prediction))
    write_panel(tmp_path / "2.npz", panel_of(target=empty))
    assert (int(read(tmp_path / "1.npz")["index"]), int(read(tmp_path / "2.npz")["index"])) == (3, 2)


def test_the_pixels_of_a_panel_have_their_size(tmp_path: Path) -> None:
    """Of (S, H, W) = (3, 1, 2) mm: rows of the picture follow W, columns H."""
    write_panel(tmp_path / "0.npz", panel_of())
    assert read(tmp_path / "0.npz")["pixel_mm"].tolist() == [2.0, 1.0]


def test_a_picture_of_nothing_is_black(tmp_path: Path) -> None:
    write_panel(tmp_path / "0.npz", panel_of(images=np.zeros((4, 2, 5, 6), np.float16)))
    assert read(tmp_path / "0.npz")["images"].max() == 0


def masks(*rows: list[int]) -> NDArray[np.bool_]:
    """Regions in a row of voxels, as (R, 1, 1, n)."""
    return np.array(rows, bool)[:, None, None]


def test_what_is_scored_is_what_a_label_map_can_hold() -> None:
    """ET outside of TC and WT is painted as ET, and so is in all three; NCR that no WT holds likewise; both counted."""
    cohort = Cohort(("t1",), (), REGIONS)
    found = masks([1, 1, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0])
    written = as_written(Prediction(Case("a", "a", {}), found, found), cohort)
    assert written.masks[:, 0, 0].tolist() == [
        [True] * 5,
        [False, True, True, True, False],
        [False, False, True, False, False],
    ]
    assert written.contradictory == (2, 1, 0)
    assert np.array_equal(written.prepared_masks, written.masks)
    again = as_written(written, cohort)
    assert again.contradictory == (0, 0, 0)
    assert np.array_equal(again.masks, written.masks), "painting twice changes nothing more"


CROSSING = (Region("A", frozenset({1, 2})), Region("B", frozenset({2, 3})), Region("C", frozenset({1, 3})))


def test_which_regions_one_label_map_can_hold() -> None:
    assert can_be_painted(REGIONS)
    assert can_be_painted(CROSSING[:2]), "A, B and both have a label each, so nothing can contradict"
    assert not can_be_painted(CROSSING), "a voxel of all three has no label, and none of them comes first"
    assert can_be_painted(tuple(Region(str(k), frozenset({k})) for k in range(1, 18))), "exclusive labels have no limit"


def test_regions_without_order_are_written_one_file_each_and_scored_as_they_are(case: Case, tmp_path: Path) -> None:
    cohort = Cohort(("t1",), (case,), CROSSING)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["a"]
    found = np.zeros((3, *SHAPE), bool)
    found[:, 2:5, 3:6, 4] = True
    written = as_written(Prediction(case, np.moveaxis(found, 3, 1), found), cohort)
    assert np.array_equal(written.masks, found)
    assert written.contradictory == (0, 0, 0)
    paths = write_prediction(tmp_path / "out", written, prepared, cohort)
    assert [path.name for path in paths] == ["a_A.nii.gz", "a_B.nii.gz", "a_C.nii.gz"]
    for path in paths:
        assert np.array_equal(read_labels(path).array, found[0])
