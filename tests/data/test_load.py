"""From prepared cases to what a training reads: ranges of slices, classes, and the joining of sources."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import load_cases, slice_range
from mrfusion.data.prepared import Prepared
from mrfusion.data.read import read_data
from mrfusion.errors import CaseError, InputError, SpecError
from mrfusion.part import read_part
from mrfusion.progress import silent
from mrfusion.spec import Data, Preparation

MODALITIES = ("t1", "t2")


@pytest.fixture
def prepared(
    make_case: Callable[..., Case], cohort_of: Callable[..., Cohort], tmp_path: Path
) -> tuple[Cohort, dict[str, Prepared]]:
    """Two cases, one of them without a label map, of classes low and none."""
    first, second = make_case("a"), make_case("b")
    cohort = cohort_of(replace(first, label="low"), replace(second, label_map=None))
    cohort = replace(cohort, classes=("high", "low"))
    return cohort, dict(prepare_cohort(cohort, Preparation(), tmp_path / "cache"))


def test_loaded_cases_are_views_of_what_was_prepared(prepared: tuple[Cohort, dict[str, Prepared]]) -> None:
    cohort, ready = prepared
    cases = load_cases(cohort, ready, MODALITIES, None)
    first, second = cases["a"], cases["b"]
    assert np.array_equal(first.images, ready["a"].images(MODALITIES))
    assert first.images.shape[1] == 2
    assert first.labels.shape == (first.images.shape[0], *first.images.shape[2:])
    assert first.labels[:].max() == 3
    assert second.labels[:].max() == 0
    assert second.labels.shape == second.images[:, 0].shape
    assert (first.class_index, second.class_index) == (1, -1)
    assert first.present == (True, True)
    assert first.slices == (0, len(first.images))


def test_cases_of_a_segmentation_have_their_label_as_a_category(prepared: tuple[Cohort, dict[str, Prepared]]) -> None:
    cohort, ready = prepared
    first, second = cohort.cases
    told = replace(cohort, classes=(), cases=(first, replace(second, label="grade 2")))
    assert told.categories == ("grade 2", "low")
    assert [case.class_index for case in load_cases(told, ready, MODALITIES, None).values()] == [1, 0]


def test_a_plan_that_reads_one_modality_gets_one(prepared: tuple[Cohort, dict[str, Prepared]]) -> None:
    cohort, ready = prepared
    case = load_cases(cohort, ready, ("t2",), None)["a"]
    assert case.images.shape[1] == 1
    assert case.present == (True,)


@pytest.mark.parametrize(
    ("shares", "whole"), [(None, (0, 10)), ((0.0, 1.0), (0, 10)), ((0.3, 0.6), (3, 6)), ((0.44, 0.46), (4, 5))]
)
def test_slices_are_shares_of_the_whole_depth(
    prepared: tuple[Cohort, dict[str, Prepared]], shares: tuple[float, float] | None, whole: tuple[int, int]
) -> None:
    """The brain of the fixture lies in slices 2 to 8 of 10, and cropping moves them down by two."""
    _, ready = prepared
    offset, extent = ready["a"].box(MODALITIES)[2].start, ready["a"].shape(MODALITIES)[0]
    assert (offset, extent) == (2, 6)
    first, last = slice_range(ready["a"], MODALITIES, shares)
    assert first == max(0, whole[0] - offset)
    assert last == min(extent, whole[1] - offset)


def test_a_range_outside_of_the_brain_is_its_nearest_slice(prepared: tuple[Cohort, dict[str, Prepared]]) -> None:
    _, ready = prepared
    assert slice_range(ready["a"], MODALITIES, (0.0, 0.1)) == (0, 1)
    assert slice_range(ready["a"], MODALITIES, (0.95, 1.0)) == (5, 6)


def save(path: Path, array: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


@pytest.fixture
def brats(tmp_path: Path) -> Callable[..., Path]:
    """A folder of small BraTS 2023 cases."""

    def make(name: str = "data", count: int = 8, *, first: int = 0, label: bool = True) -> Path:
        random = np.random.default_rng(first)
        for number in range(first, first + count):
            case = f"BraTS-GLI-{number:05d}-000"
            for modality in ("t1n", "t1c", "t2w", "t2f"):
                save(tmp_path / name / case / f"{case}-{modality}.nii.gz", random.integers(1, 99, (8, 8, 8), np.uint8))
            if label:
                save(tmp_path / name / case / f"{case}-seg.nii.gz", random.integers(0, 4, (8, 8, 8), np.uint8))
        return tmp_path / name

    return make


def data_of(*places: Path, **changes: object) -> Data:
    sources = [{"path": place, "layout": "brats(year=2023)"} for place in places]
    return read_part(Data, {"sources": sources, "split": {"folds": 2}, **changes}, "test")


def test_read_data_from_two_sources(brats: Callable[..., Path], tmp_path: Path) -> None:
    data = data_of(brats("one", 4), brats("two", 4, first=4))
    found = read_data(data, task="segmentation", cache=tmp_path / "cache", progress=silent)
    assert len(found.cohort.cases) == 8
    assert set(found.prepared) == {case.id for case in found.cohort.cases}
    assert len(found.splits) == 2
    assert sorted(found.splits[0].test + found.splits[1].test) == sorted(found.prepared)
    again = read_data(data, task="segmentation", cache=tmp_path / "cache", progress=silent)
    assert again.fingerprint == found.fingerprint
    assert {one.reason for one in again.prepared.values()} == {"cached"}
    other = read_data(data_of(*(s.path for s in data.sources), split={"folds": 2, "seed": 1}), task="segmentation",
                      cache=tmp_path / "cache", progress=silent)  # fmt: skip
    assert other.fingerprint != found.fingerprint, "the split belongs to the data's fingerprint"


def test_a_split_file_is_obeyed(brats: Callable[..., Path], tmp_path: Path) -> None:
    place = brats()
    names = sorted(path.name for path in place.iterdir())
    (tmp_path / "splits_final.json").write_text(json.dumps([{"train": names[2:], "val": names[:2]}]))
    data = data_of(place, split={"folds": 1, "file": tmp_path / "splits_final.json"})
    (split,) = read_data(data, task="segmentation", cache=tmp_path / "cache", progress=silent).splits
    assert set(split.test) == set(names[:2])
    assert set(split.train) | set(split.val) == set(names[2:])


@pytest.mark.parametrize(
    ("task", "label", "message", "kind"),
    [
        ("classification", True, "needs a class for each case, found none in the data", InputError),
        ("segmentation", False, "seg", CaseError),
    ],
)
def test_what_a_task_needs(
    brats: Callable[..., Path], tmp_path: Path, task: str, label: bool, message: str, kind: type[Exception]
) -> None:
    place = brats(count=2, label=label)
    with pytest.raises(kind, match=message):
        read_data(data_of(place), task=task, cache=tmp_path / "cache", progress=silent)


def test_data_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected data at .*/absent, found nothing; mend data.sources.path"):
        read_data(data_of(tmp_path / "absent"), task="segmentation", cache=tmp_path / "cache", progress=silent)


def test_a_layout_that_is_not_there(brats: Callable[..., Path], tmp_path: Path) -> None:
    data = read_part(Data, {"sources": [{"path": brats(count=1), "layout": "bratz"}]}, "test")
    with pytest.raises(SpecError, match="no layouts choice is called 'bratz'"):
        read_data(data, task="segmentation", cache=tmp_path / "cache", progress=silent)
