"""Predictions of another program in a study: read by the study's own splits, scored and kept as our own are."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.read import RunData
from mrfusion.errors import CaseError, SpecError
from mrfusion.progress import silent
from mrfusion.run.foreign import check_foreign, predicted_files, score_foreign
from mrfusion.run_folder.pictures import read_slice
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import Preparation, RunSpec
from tiny import run_spec

REGIONS = (Region("WT", frozenset({1, 2, 3})), Region("TC", frozenset({1, 3})), Region("ET", frozenset({3})))
BRATS_2021 = {1: 1, 2: 2, 4: 3}
SHAPE = (12, 14, 6)
NAMES = ("a", "b", "c", "d")
FOLDS = (Split(("c",), ("d",), ("a", "b")), Split(("a",), ("b",), ("c", "d")))


def label_map(number: int) -> np.ndarray:
    """Of the case with this number, in the values of BraTS 2021."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2 + number : 8, 3:10, 1:5] = 2
    labels[4 + number : 7, 5:9, 2:4] = 1
    labels[5:7, 6:8, 2:4] = 4
    return labels


def save(array: np.ndarray, path: Path, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, 1, 2, 1]) if affine is None else affine), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    folder = tmp_path_factory.mktemp("foreign")
    cases = []
    for number, name in enumerate(NAMES):
        labels = label_map(number)
        image = save(labels.astype(np.int16) * 100 + 100, folder / f"{name}_t1.nii.gz")
        label = save(labels, folder / f"{name}_seg.nii.gz")
        cases.append(Case(name, f"p{name}", {"t1": image}, label, label_values=BRATS_2021))
    cohort = Cohort(("t1",), tuple(cases), REGIONS)
    return RunData(cohort, prepare_cohort(cohort, Preparation(), folder / "cache"), FOLDS)


def spec_of(*folders: Path, fold: int = 0, task: str = "segmentation") -> RunSpec:
    given = {"folders": [str(folder) for folder in folders], "fingerprint": "f"}
    return run_spec(predictions=given, fold=fold, task=task, plan="only(t1)")


def scores_of(data: RunData, out: Path, spec: RunSpec) -> dict[tuple[str, str], float]:
    folder = RunFolder(out)
    out.mkdir()
    score_foreign(spec, data, folder, silent)
    return {(s.case, s.region): s.value for s in folder.read_scores() if s.metric == "dice"}


def write_nnunet(root: Path, values: dict[int, int]) -> Path:
    """nnU-Net's folder of a trainer for both folds: every case but b right, b's enhancing tumour missed."""
    for fold, names in enumerate(("ab", "cd")):
        for name in names:
            labels = label_map(NAMES.index(name))
            labels = np.where(labels == 4, 1, labels) if name == "b" else labels
            theirs = np.zeros_like(labels)
            for ours, value in values.items():
                theirs[labels == ours] = value
            save(theirs, root / f"fold_{fold}" / "validation" / f"{name}.nii.gz")
    return root


def test_nnunet_folds_are_read_against_the_studys_splits(data: RunData, tmp_path: Path) -> None:
    """The numbers in nnU-Net's files are told by the names of regions in its dataset.json: here 1 is oedema."""
    root = write_nnunet(tmp_path / "nn", {2: 1, 1: 2, 4: 3})
    labels = {"background": 0, "WT": [1, 2, 3], "TC": [2, 3], "ET": [3]}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    found = scores_of(data, tmp_path / "run", spec_of(root))
    assert found == {
        **{("a", region): 1.0 for region in ("WT", "TC", "ET")},
        ("b", "WT"): 1.0,
        ("b", "TC"): 1.0,
        ("b", "ET"): 0.0,
    }
    folder = RunFolder(tmp_path / "run")
    picture = read_slice(folder.slices[0])
    assert np.array_equal(picture.prediction, picture.target), "and it is drawn as our own are"
    assert folder.read_environment() == {"predictions": [str(root)]}
    written = np.asarray(nib.load(folder.predictions / "a.nii.gz").dataobj)
    assert np.array_equal(written, label_map(0)), "kept in the case's own convention"


def test_one_folder_and_a_folder_a_fold_in_the_cases_own_convention(data: RunData, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        save(label_map(number), tmp_path / "all" / f"{name}.nii.gz")
        save(label_map(number), tmp_path / f"fold{number // 2}" / f"{name}_pred.nii.gz")
    for k, folders in enumerate(([tmp_path / "all"], [tmp_path / "fold0", tmp_path / "fold1"])):
        found = scores_of(data, tmp_path / f"run{k}", spec_of(*folders, fold=1))
        assert found == {(name, region): 1.0 for name in "cd" for region in ("WT", "TC", "ET")}


def test_masks_of_regions_are_read(data: RunData, tmp_path: Path) -> None:
    for name in "ab":
        labels = label_map(NAMES.index(name))
        for region, inside in (("WT", labels > 0), ("TC", (labels == 1) | (labels == 4)), ("ET", labels == 4)):
            save(inside.astype(np.uint8), tmp_path / "masks" / f"{name}_{region}.nii.gz")
    assert set(scores_of(data, tmp_path / "run", spec_of(tmp_path / "masks")).values()) == {1.0}


def test_a_case_that_was_trained_on_and_is_tested_is_refused(data: RunData, tmp_path: Path) -> None:
    root = write_nnunet(tmp_path / "nn", {1: 1, 2: 2, 4: 4})
    moved = root / "fold_0" / "validation" / "b.nii.gz"
    moved.rename(root / "fold_1" / "validation" / "b.nii.gz")
    with pytest.raises(SpecError, match=r"case b: the study tests it in fold 0.*fold_1.*trained on in fold 0"):
        predicted_files([root], data.cohort, ("a", "b"), fold=0, folds=2)


def test_fold_all_has_seen_every_case(data: RunData, tmp_path: Path) -> None:
    place = tmp_path / "nn" / "fold_all" / "validation"
    for name in "ab":
        save(label_map(NAMES.index(name)), place / f"{name}.nii.gz")
    with pytest.raises(SpecError, match="trained on every case that it predicted"):
        scores_of(data, tmp_path / "run", spec_of(place))


def test_what_is_missing_or_elsewhere_names_the_case(data: RunData, tmp_path: Path) -> None:
    save(label_map(0), tmp_path / "p" / "a.nii.gz")
    with pytest.raises(CaseError, match=r"case b: .* has no prediction"):
        scores_of(data, tmp_path / "run1", spec_of(tmp_path / "p"))
    save(label_map(1), tmp_path / "p" / "b.nii.gz", np.diag([-1.0, 1, 3, 1]))
    with pytest.raises(CaseError, match=r"case b: expected .* on the grid of the case"):
        scores_of(data, tmp_path / "run2", spec_of(tmp_path / "p"))
    save(label_map(1)[1:], tmp_path / "p" / "b.nii.gz")
    with pytest.raises(CaseError, match=r"of \(11, 14, 6\) voxels instead of \(12, 14, 6\)"):
        scores_of(data, tmp_path / "run3", spec_of(tmp_path / "p"))
    with pytest.raises(SpecError, match="found 2, none for fold 2"):
        predicted_files([tmp_path / "p"] * 2, data.cohort, ("a",), fold=0, folds=3)


TURNS = {"probabilities": "expected whole numbers", "values": "expected the label values", "elsewhere": "mm away"}


@pytest.mark.parametrize("fault", TURNS)
def test_what_cannot_be_scored_is_found_before_any_arm_is_trained(data: RunData, tmp_path: Path, fault: str) -> None:
    for name in NAMES:
        save(label_map(NAMES.index(name)), tmp_path / f"{name}.nii.gz")
    spec = spec_of(tmp_path, fold=1)
    assert check_foreign(spec, data) == []
    labels = label_map(NAMES.index("d"))
    save((labels + 1e-5).astype(np.float32), tmp_path / "d.nii.gz")
    (note,) = check_foreign(spec, data)
    assert note.startswith("1 of 2 predictions were read with a note; the first: d.nii.gz: ")
    wrong = labels * np.float32(0.3) if fault == "probabilities" else labels * np.uint8(2)
    moved = np.diag([-1.0, 1, 3, 1]) if fault == "elsewhere" else None
    save(labels if fault == "elsewhere" else wrong, tmp_path / "d.nii.gz", moved)
    with pytest.raises(CaseError, match=TURNS[fault]):
        check_foreign(spec, data)
    assert check_foreign(spec_of(tmp_path, fold=0), data) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"WT": [1, 2]}, "must have the same names"),
        ({"WT": [1, 2, 3], "TC": [2, 3], "ET": [1]}, "lies in other regions"),
    ],
)
def test_another_dataset_is_refused(data: RunData, tmp_path: Path, labels: dict[str, list[int]], message: str) -> None:
    root = write_nnunet(tmp_path / "nn", {1: 1, 2: 2, 4: 3})
    (root / "dataset.json").write_text(json.dumps({"labels": {"background": 0, **labels}}))
    with pytest.raises(SpecError, match=message):
        scores_of(data, tmp_path / "run", spec_of(root))


def test_a_classification_has_no_masks_to_read(data: RunData, tmp_path: Path) -> None:
    classes = replace(data, cohort=replace(data.cohort, classes=("low", "high")))
    with pytest.raises(SpecError, match="task classification has none"):
        scores_of(classes, tmp_path / "run", spec_of(tmp_path, task="classification"))
