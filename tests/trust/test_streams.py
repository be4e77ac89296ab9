"""Streams that are closed, and being stopped at any moment: never a traceback, never a bare number of the system."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import make_recipe

from mrfusion.phantom.cohort import write_cohort

NO_SIGN_OF = ("Traceback", "Errno", "file descriptor", "Exception ignored", "KeyboardInterrupt")
PROGRAM = f"'{sys.executable}' -m mrfusion"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    return make_recipe(folder, write_cohort(folder / "phantom", cases=4, spacing_mm=8.0, workers=1))


def shell(words: str, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(f"{PROGRAM} {words}", shell=True, cwd=place, capture_output=True, text=True, timeout=280)


def said_nothing_bad(*texts: str) -> bool:
    return not [word for text in texts for word in NO_SIGN_OF if word in text]


@pytest.mark.parametrize("words", ["list", "list layouts", "--help", "list layouts folder"])
def test_a_reader_that_leaves_early_is_no_error(words: str, tmp_path: Path) -> None:
    found = shell(f"{words} | head -n 1", tmp_path)
    assert found.returncode == 0
    assert said_nothing_bad(found.stdout, found.stderr)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_change_neither_the_work_nor_the_exit_code(closed: str, recipe: Path, tmp_path: Path) -> None:
    found = shell(f"inspect '{recipe}' --out out {closed}", tmp_path)
    assert found.returncode == 0
    assert (tmp_path / "out" / "inspection.json").is_file()
    assert said_nothing_bad(found.stdout, found.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_workers_are_started_with_streams_that_are_closed(closed: str, recipe: Path, tmp_path: Path) -> None:
    found = shell(f"study '{recipe}' --out out --workers 1 --dry-run {closed}", tmp_path)
    assert found.returncode == 0, found.stderr
    assert said_nothing_bad(found.stdout, found.stderr)


def test_an_error_is_told_where_the_other_stream_is_closed(tmp_path: Path) -> None:
    found = shell("inspect nowhere >&-", tmp_path)
    assert found.returncode == 2
    assert "nowhere" in found.stderr
    assert said_nothing_bad(found.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("part", [0.2, 0.4, 0.6, 0.8, 0.95])
def test_an_estimate_is_stopped_at_any_moment(sent: int, part: float, recipe: Path, tmp_path: Path) -> None:
    """Once the program's own code runs; while Python imports it, Python answers by itself."""
    asked = [sys.executable, "-c", "from mrfusion.cli import main; print(flush=True); main()"]
    asked += ["study", str(recipe), "--out", str(tmp_path / "out"), "--workers", "1", "--dry-run"]
    whole = _whole_seconds(asked)
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(part * whole)
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1, 2), err
    assert said_nothing_bad(out, err), err
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".mrfusion-*")), "what lay beside it is gone"


_SECONDS: list[float] = []


def _whole_seconds(asked: list[str]) -> float:
    if not _SECONDS:
        started = time.monotonic()
        subprocess.run(asked, check=True, capture_output=True)
        _SECONDS.append(time.monotonic() - started)
    return _SECONDS[0]
