"""The study of tests/fabricated.py, made once for all tests of the report."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fabricated import fabricate


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Path]:
    """The builder above."""
    return fabricate


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three arms, two folds, two seeds, eight cases; not to be changed by a test."""
    return fabricate(tmp_path_factory.mktemp("study"))
