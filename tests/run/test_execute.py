"""A run that another process finished after this one had listed it counts for the process that made it, alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mrfusion.lock import Claim, alone
from mrfusion.run import execute as room
from mrfusion.run.jobs import execute_run
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec

SPEC = RunSpec.model_validate({"data": {"sources": [{"path": "nowhere", "layout": "brats(year=2023)"}]}})


def test_a_run_that_was_finished_meanwhile_was_not_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process ends between the moment that the run is asked for and the moment that its lock is free."""
    folder = StudyFolder(tmp_path).run(SPEC.digest)

    @contextmanager
    def after_the_other(path: Path, what: str) -> Iterator[Claim]:
        with alone(path, what) as claim:
            folder.path.mkdir(parents=True)
            yield claim

    monkeypatch.setattr(room, "alone", after_the_other)
    assert execute_run(SPEC.model_dump_json(), str(tmp_path), str(tmp_path / "cache")) is None
    assert folder.is_done
