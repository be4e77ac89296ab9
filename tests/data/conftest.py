"""Small cases on disk, made by nibabel alone, for the tests of the data rooms."""

from collections.abc import Callable, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort, Region

REGIONS = (Region("WT", frozenset({1, 2, 3})), Region("TC", frozenset({1, 3})), Region("ET", frozenset({3})))
OLD = {1: 1, 2: 2, 4: 3}


def save(path: Path, array: NDArray, affine: NDArray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def brain(seed: int, shape: tuple[int, int, int] = (12, 14, 10), margin: int = 2) -> NDArray:
    """Positive noise in a box, zero around it."""
    array = np.zeros(shape, np.int16)
    inner = tuple(slice(min(margin, (n - 1) // 2), n - min(margin, (n - 1) // 2)) for n in shape)
    array[inner] = np.random.default_rng(seed).integers(1, 1000, array[inner].shape)
    return array


@pytest.fixture
def make_case(tmp_path: Path) -> Callable[..., Case]:
    """A case of two modalities and a label map with the values 1, 2, 4; arrays may be replaced by name."""

    def make(name: str = "a", arrays: Mapping[str, NDArray] | None = None, affine: NDArray | None = None) -> Case:
        labels = np.zeros((12, 14, 10), np.uint8)
        labels[4:8, 5:9, 3:7], labels[5:7, 6:8, 4:6], labels[5, 6, 4] = 2, 1, 4
        content = {"t1": brain(1), "t2": brain(2, margin=3), "seg": labels, **(arrays or {})}
        files = {key: save(tmp_path / name / f"{name}_{key}.nii.gz", a, affine) for key, a in content.items()}
        label_map = files.pop("seg")
        return Case(name, name, files, label_map, label_values=OLD)

    return make


@pytest.fixture
def cohort_of() -> Callable[..., Cohort]:
    def make(*cases: Case) -> Cohort:
        """The modalities are those of the first case."""
        return Cohort(tuple(cases[0].images), cases, REGIONS)

    return make
