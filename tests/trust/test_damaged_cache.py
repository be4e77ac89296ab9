"""Prepared cases that were damaged, or written by another version, are prepared again, with the same arrays."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from bad_images import ball, save
from damage import of_json, of_stream

from mrfusion.case import Case, Cohort, Region
from mrfusion.data.cache import prepare_cohort
from mrfusion.errors import CaseError
from mrfusion.spec import Preparation

EACH = 12  # each so many-th of the damages of a file; all of them with -m slow
ARRAYS = ("images.npy", "labels.npy", "truth.npy")


@dataclass
class Kept:
    """A cohort of one case, and the cache that a first preparation left."""

    cohort: Cohort
    cache: Path

    def comes_to(self, cache: Path, preparation: Preparation) -> tuple[object, ...]:
        """All that a training or a prediction takes from the prepared case."""
        one = prepare_cohort(self.cohort, preparation, cache)["a"]
        labels = np.asarray(one.labels(("t1",)))
        arrays = one.images(("t1",)), labels, one.truth(), one.restore(labels, ("t1",))
        facts = one.digest, one.label_voxels, one.spacing_mm, one.notes, one.shape(("t1",)), one.box(("t1",))
        return (*(np.asarray(array).tobytes() for array in arrays), *facts)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    save(folder / "t1.nii.gz", ball() + 1)
    save(folder / "mask.nii.gz", ball())
    for path in folder.iterdir():
        os.utime(path, (1, 1))  # long ago, so that their digests are remembered
    case = Case("a", "a", {"t1": folder / "t1.nii.gz"}, folder / "mask.nii.gz", label_values={1: 1, 2: 2})
    cohort = Cohort(("t1",), (case,), (Region("whole", frozenset({1, 2})),))
    prepare_cohort(cohort, Preparation(), folder / "cache")
    return Kept(cohort, folder / "cache")


def try_all(kept: Kept, file: str, each: int, tmp_path: Path) -> None:
    content = next(kept.cache.rglob(file)).read_bytes()
    damages = [*of_stream(content, packed=False), *(of_json(content) if file.endswith(".json") else ())]
    expected = {crop: kept.comes_to(tmp_path / f"sound {crop}", Preparation(crop=crop)) for crop in (True, False)}
    assert len(damages) // each >= 1
    for number, (name, damaged) in enumerate(damages[::each]):
        cache = shutil.copytree(kept.cache, tmp_path / str(number))
        next(cache.rglob(file)).write_bytes(damaged)
        for crop, sound in expected.items():  # the second is another preparation, which looks at the first
            if file in ARRAYS and len(damaged) == len(content):
                continue  # that is found when it is read, or not at all
            assert kept.comes_to(cache, Preparation(crop=crop)) == sound, f"{name}, crop {crop}"


@pytest.mark.parametrize("file", ["meta.json", "digests.json"])
def test_what_is_known_of_a_prepared_case_may_be_damaged(file: str, kept: Kept, tmp_path: Path) -> None:
    try_all(kept, file, EACH, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["meta.json", "digests.json"])
def test_every_part_of_what_is_known_may_be_damaged(file: str, kept: Kept, tmp_path: Path) -> None:
    try_all(kept, file, 1, tmp_path)


@pytest.mark.parametrize("file", ARRAYS)
def test_arrays_of_another_length_are_made_again(file: str, kept: Kept, tmp_path: Path) -> None:
    try_all(kept, file, 1, tmp_path)


@pytest.mark.parametrize("file", ARRAYS)
def test_an_array_that_is_gone_is_made_again(file: str, kept: Kept, tmp_path: Path) -> None:
    cache = shutil.copytree(kept.cache, tmp_path / "cache")
    next(cache.rglob(file)).unlink()
    assert prepare_cohort(kept.cohort, Preparation(), cache)["a"].reason.startswith("prepared again: what was kept")
    assert kept.comes_to(cache, Preparation()) == kept.comes_to(kept.cache, Preparation())


def test_an_array_of_zeros_is_one_message(kept: Kept, tmp_path: Path) -> None:
    cache = shutil.copytree(kept.cache, tmp_path / "cache")
    path = next(cache.rglob("images.npy"))
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(CaseError, match="is not what was written there"):
        kept.comes_to(cache, Preparation())
