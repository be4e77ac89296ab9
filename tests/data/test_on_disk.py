"""Cohorts of any size: arrays on disk read like arrays, and few of them are open at a time."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mrfusion.data import on_disk
from mrfusion.data.on_disk import MOST_OPEN, OnDisk
from mrfusion.errors import CaseError, InputError

WINDOW = (slice(1, 5), slice(2, 8), slice(0, 7))
TRAIN = """
import resource, sys
from pathlib import Path

import nibabel as nib
import numpy as np

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
from mrfusion.case import Case, Cohort
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import load_cases
from mrfusion.run_folder.quantity import Quantity
from mrfusion.spec import Preparation
from tiny import MODALITIES, REGIONS, fitted, run_spec, training_of

root, random = Path(sys.argv[1]), np.random.default_rng(0)
labels = np.zeros((8, 8, 2), np.uint8)
labels[2:6, 2:6], labels[3:5, 3:5] = 1, 2
head = nib.Nifti1Image(labels, np.eye(4)).to_bytes()[:352]
cases = []
for number in range(1300):
    images = {}
    for name in MODALITIES:
        images[name] = root / f"{number}_{name}.nii"
        array = random.integers(1, 9, labels.shape) + 9 * labels
        images[name].write_bytes(head + array.astype(np.uint8).tobytes("F"))
    seg = root / f"{number}_seg.nii"
    seg.write_bytes(head + labels.tobytes("F"))
    cases.append(Case(str(number), str(number), images, seg, label_values={1: 1, 2: 2}))
cohort = Cohort(MODALITIES, tuple(cases), REGIONS)
prepared = prepare_cohort(cohort, Preparation(), root / "cache")
loaded = list(load_cases(cohort, prepared, MODALITIES, None).values())
spec = run_spec(sampling={"per_case": 1}, budget={"epochs": 1, "batch_size": 50})
history = fitted(spec, training_of(spec, root / "run", loaded))
print(len(list(Path("/proc/self/fd").iterdir())), history.of(Quantity.parse("train/dice_ce"))[0])
"""


@pytest.fixture
def stored(tmp_path: Path) -> np.ndarray:
    whole = np.random.default_rng(0).normal(size=(6, 4, 9, 8)).astype(np.float16)
    np.save(tmp_path / "images.npy", whole)
    return whole


@pytest.mark.parametrize("channels", [[0, 1, 2, 3], [1], [3, 1], [0, 1, 3], [2, 2]])
def test_it_reads_like_the_array_itself(stored: np.ndarray, channels: list[int], tmp_path: Path) -> None:
    found = OnDisk(tmp_path / "images.npy", WINDOW, np.float16, channels)
    expected = stored[1:5, channels, 2:8, 0:7]
    assert (found.shape, found.ndim, len(found), found.dtype) == (expected.shape, 4, 4, expected.dtype)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[1:3], expected[1:3])
    np.testing.assert_array_equal(found[:, 0], expected[:, 0])
    np.testing.assert_array_equal(found[2:, -1, 1:3], expected[2:, -1, 1:3])
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found > 0, expected > 0)
    np.testing.assert_array_equal(2 * found, 2 * expected)


def test_no_more_files_are_open_than_are_kept(tmp_path: Path) -> None:
    arrays = []
    for number in range(3 * MOST_OPEN):
        np.save(tmp_path / f"{number}.npy", np.full((2, 3, 3), number))
        arrays.append(OnDisk(tmp_path / f"{number}.npy", (slice(0, 2), slice(0, 3), slice(0, 3)), np.int64))
    for _ in range(2):
        assert [int(array[0].max()) for array in arrays] == list(range(3 * MOST_OPEN))
        kept = {os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if _is_open(n)}
        assert sum(str(tmp_path) in name for name in kept) <= MOST_OPEN


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


def test_a_limit_of_the_system_is_called_one_and_nothing_is_to_be_deleted(
    stored: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr(on_disk, "_kept_open", refuse)
    with pytest.raises(InputError, match=r"Too many open files.* raise the limit") as caught:
        OnDisk(tmp_path / "images.npy", WINDOW, np.float16, [0])[:]
    assert not isinstance(caught.value, CaseError)
    assert not {"delete", "remove", "damaged"} & set(str(caught.value).replace(",", " ").split())
    assert len(stored)


def test_what_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(b"\\x93NUMPY short")
    with pytest.raises(CaseError, match="is not what was written there"):
        OnDisk(tmp_path / "images.npy", WINDOW, np.float16, [0])[:]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc")
def test_1300_cases_are_trained_on_under_a_limit_of_256_open_files(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    command = [sys.executable, "-c", TRAIN, str(tmp_path), "256"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    count, loss = done.stdout.split()
    assert int(count) < 200
    assert 0 < float(loss) < 5
