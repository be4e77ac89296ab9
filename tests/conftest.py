"""Where tests find real data and others' answers; where there are none, the tests that need them are skipped."""

import os
from pathlib import Path

import pytest

from shape_checker import check_shapes

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors, several test processes: more threads only wait
check_shapes()

SHARED = Path(__file__).parents[2] / "shared"


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"no folder at {folder}; set {variable}")
    return folder


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Real MRI for development, never part of the repository."""
    return _folder("MRFUSION_DATA", SHARED / "data")


@pytest.fixture(scope="session")
def oracle_root() -> Path:
    """Answers that somebody else computed."""
    return _folder("MRFUSION_ORACLES", SHARED / "oracles")
