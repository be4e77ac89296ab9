"""What is scored lies in the world, holds what somebody explained, and is asked for by its convention's regions."""

import itertools
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mrfusion.case import Region
from mrfusion.errors import CaseError, Note, SpecError
from mrfusion.rules import WT_TC_ET
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.masks import score_case
from mrfusion.scoring.question import question

CODES = ["".join(side) for axes in itertools.permutations(("LR", "PA", "IS")) for side in itertools.product(*axes)]
LESION = (Region("lesion", frozenset({1})),)


def affine() -> np.ndarray:
    """Oblique, of three different spacings, away from the origin."""
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turn @ np.diag([0.9, 1.1, 3.0]), (-20, 13, 5)
    return whole


def image(shift: int = 0) -> nib.Nifti1Image:
    labels = np.zeros((12, 13, 9), np.uint8)
    labels[2 + shift : 9 + shift, 3:8, 2:5], labels[4:6, 4:6, 3] = 1, 2
    return nib.Nifti1Image(labels, affine())


def stored_as(original: nib.Nifti1Image, codes: str) -> nib.Nifti1Image:
    """The same voxels of the world, as nibabel writes them in another order and direction of the axes."""
    return original.as_reoriented(ornt_transform(io_orientation(original.affine), axcodes2ornt(codes)))


def folders(root: Path, prediction: nib.Nifti1Image, label: nib.Nifti1Image) -> tuple[Path, Path]:
    for name, content in (("p", prediction), ("l", label)):
        (root / name).mkdir(exist_ok=True)
        nib.save(content, root / name / "c1.nii.gz")
    return root / "p", root / "l"


@pytest.mark.parametrize("codes", CODES)
def test_axes_of_any_order_and_direction_score_alike(codes: str, tmp_path: Path) -> None:
    asked = question(regions="a=1+2,b=2", metrics="dice,hd95,assd,lesion_dice,volume_mm3")
    expected = score_folders(*folders(tmp_path, image(1), image()), asked)
    assert 0.5 < expected[0].value < 1
    for one, other in ((stored_as(image(1), codes), image()), (image(1), stored_as(image(), codes))):
        found = score_folders(*folders(tmp_path, one, other), asked)
        assert [(s.region, s.metric) for s in found] == [(s.region, s.metric) for s in expected]
        np.testing.assert_allclose([s.value for s in found], [s.value for s in expected], rtol=1e-12)


@pytest.mark.parametrize("codes", ["LPS", "PIR", "ASL"])
def test_half_a_right_angle_between_axes_and_world_is_no_toss(codes: str, tmp_path: Path) -> None:
    turn = affine()
    turn[:3, :3] = np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2**0.5]]) / 2**0.5 @ np.diag([0.9, 1.1, 3.0])
    one, other = (nib.Nifti1Image(np.asanyarray(image(shift).dataobj), turn) for shift in (1, 0))
    asked = question(regions="a=1+2,b=2", metrics="dice")
    expected = score_folders(*folders(tmp_path, one, other), asked)
    assert score_folders(*folders(tmp_path, stored_as(one, codes), other), asked) == expected


def test_a_single_slice_in_another_direction_scores_alike(tmp_path: Path) -> None:
    def slice_of(whole: nib.Nifti1Image) -> nib.Nifti1Image:
        return whole.slicer[:, :, 3:4]

    asked = question(regions="a=1+2", metrics="dice,hd95")
    expected = score_folders(*folders(tmp_path, slice_of(image(1)), slice_of(image())), asked)
    found = score_folders(*folders(tmp_path, stored_as(slice_of(image(1)), "PLS"), slice_of(image())), asked)
    np.testing.assert_allclose([s.value for s in found], [s.value for s in expected], rtol=1e-12)


def test_what_lies_elsewhere_is_refused_and_no_affine_is_to_be_written_over(tmp_path: Path) -> None:
    mirrored = nib.Nifti1Image(np.asarray(image().dataobj), affine() @ np.diag([-1, 1, 1, 1]))
    with pytest.raises(CaseError, match=r"mm apart in the world\. Resample the prediction") as caught:
        score_folders(*folders(tmp_path, mirrored, image()), question(regions="a=1+2"))
    assert "would hide the difference" in str(caught.value)
    assert "write the prediction with" not in str(caught.value)


def masks() -> tuple[np.ndarray, np.ndarray]:
    target = np.zeros((20, 20, 10), np.uint8)
    target[5:12, 5:12, 3:7] = 1
    return np.roll(target, 1, 0), target


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda p: p * 0.7, r"found 0\.7 \(196 voxels\)"),
        (lambda p: np.where(p > 0, np.nan, 0.0), r"found nan \(196 voxels\)"),
        (lambda p: p * 255, r"found 255 \(196 voxels\)"),
        (lambda p: p * 2, r"found 2 \(196 voxels\)"),
        (lambda p: (p * 255)[None], r"expected the values \[0, 1\], found 255"),
        (lambda p: p[:0], "differ in shape"),
        (lambda p: p.astype(str), "expected an array of numbers"),
        (lambda p: p[None, None], "expected a label map in 3 dimensions"),
    ],
)
def test_what_only_looks_like_a_mask_is_refused_from_python_too(change, found: str) -> None:
    prediction, target = masks()
    with pytest.raises(CaseError, match=rf"case c: .*{found}"):
        score_case("c", change(prediction), target=target, regions=LESION, spacing_mm=(1, 1, 3))
    if "shape" not in found:
        with pytest.raises(CaseError, match="case c: "):
            score_case("c", prediction, target=change(target), regions=LESION, spacing_mm=(1, 1, 3))


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, -1, 1), (1, 1, float("nan")), (1, 1, 1, 1)])
def test_a_spacing_that_is_none_is_refused(spacing) -> None:
    prediction, target = masks()
    with pytest.raises(CaseError, match="case c: "):
        score_case("c", prediction, target=target, regions=LESION, spacing_mm=spacing)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32, list])
def test_masks_and_label_maps_of_any_type_are_taken(kind) -> None:
    prediction, target = masks()
    given = prediction.tolist() if kind is list else prediction.astype(kind)
    asked: dict[str, Any] = {"regions": LESION, "spacing_mm": (1, 1, 3)}
    (score,) = score_case("c", given, target=target, **asked)
    (stacked,) = score_case("c", prediction[None].astype(bool), target=target.astype(bool)[None], **asked)
    assert score == stacked
    assert 0.8 < score.value < 0.9


def test_a_convention_brings_its_regions() -> None:
    assert question(values="brats2021").regions == WT_TC_ET
    assert question(values="brats2023").regions == WT_TC_ET
    assert question(rules="brats2026-MenRT").regions[0].name == "GTV"


def test_values_in_no_region_are_refused_unless_the_regions_were_chosen() -> None:
    with pytest.raises(SpecError, match=r"values: 2, 4 in the files would be in no region \(mask=1\)") as caught:
        question(values="1=1,2=2,4=3")
    assert "--regions 'whole=1+2+3'" in str(caught.value)
    assert question(values="1=1,2=0,4=0").regions[0].name == "mask"
    with pytest.warns(
        Note, match=r"values: 1, 2 in the files would be in no region \(ET=3\); they count as background"
    ):
        question(values="brats2021", regions="ET=3")


def test_the_whole_tumour_is_scored_where_the_labels_are_those_of_2021(tmp_path: Path) -> None:
    labels = np.zeros((12, 12, 8), np.uint8)
    labels[2:9, 2:9, 2:6], labels[4:7, 4:7, 3:5], labels[5, 5, 3] = 2, 4, 1
    paths = folders(tmp_path, nib.Nifti1Image(np.roll(labels, 1, 0), np.eye(4)), nib.Nifti1Image(labels, np.eye(4)))
    scores = {s.region: s.value for s in score_folders(*paths, question(values="brats2021", metrics="dice"))}
    moved = np.roll(labels, 1, 0)
    for region, values in {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}.items():
        a, b = np.isin(moved, values), np.isin(labels, values)
        assert scores[region] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
