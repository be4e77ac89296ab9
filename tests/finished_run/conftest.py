"""A study of phantoms that is trained once for the tests of a module, which says in STUDY what it is."""

from pathlib import Path

import pytest

from in_process import InProcess
from mrfusion.command.study import show_study
from mrfusion.phantom.cohort import write_cohort
from mrfusion.study.design import read_study


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("finished") / "phantom", cases=6, spacing_mm=8.0, workers=1)


@pytest.fixture(scope="module")
def study(phantom: Path, request: pytest.FixtureRequest) -> Path:
    file, out = phantom.parent / "study.yaml", phantom.parent / "out"
    file.write_text(request.module.STUDY.replace("PHANTOM", str(phantom)))
    show_study(read_study(file), InProcess(), out=out, cache=None)
    return out
