"""Several processes on one study's folder: every run is made once, with the same bits, and a killed one is replaced."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killing import make_recipe, numbers, start

from mrfusion.phantom.cohort import write_cohort


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    path = make_recipe(folder, write_cohort(folder / "phantom", cases=8, spacing_mm=6.0, workers=1))
    path.write_text(path.read_text() + "seeds: [0, 1]\n")
    return path


@pytest.fixture(scope="module")
def expected(recipe: Path) -> dict[str, object]:
    """What one process comes to."""
    process = start(recipe, recipe.parent / "alone", "--workers", "1")
    said = process.communicate()[1]
    assert process.returncode == 0, said.decode()
    return all_numbers(recipe.parent / "alone")


def all_numbers(out: Path) -> dict[str, object]:
    """Without the sentences, which name how long trainings took."""
    return {name: value for name, value in numbers(out).items() if name != "verdict"}


def done_by(process: subprocess.Popen[bytes]) -> int:
    """How many jobs a process did, which has to end well."""
    said, complaints = (text.decode() for text in process.communicate(timeout=500))
    assert process.returncode == 0, complaints
    found = re.search(r"(\d+) jobs were done by this process", said)
    assert found, said
    return int(found[1])


@pytest.mark.slow
def test_two_processes_make_every_run_once_with_the_bits_of_one(
    recipe: Path, expected: dict[str, object], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    both = [start(recipe, out, "--join", "--workers", "1") for _ in range(2)]
    done = [done_by(process) for process in both]
    assert sum(done) == len(list((out / "runs").iterdir()))
    assert all_numbers(out) == expected


@pytest.mark.slow
def test_when_one_is_killed_the_other_finishes(recipe: Path, expected: dict[str, object], tmp_path: Path) -> None:
    """It is killed with its workers, while one of them trains."""
    out = tmp_path / "out"
    first = start(recipe, out, "--join", "--workers", "1")
    while not list(out.glob("runs/.*.partial/last.pt")):
        assert first.poll() is None
        time.sleep(0.02)
    second = start(recipe, out, "--join", "--workers", "1")
    time.sleep(1)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert done_by(second) > 0
    assert all_numbers(out) == expected
    assert not list((out / "progress").glob("*.claim"))


@pytest.mark.slow
def test_another_study_cannot_join(recipe: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(recipe.read_text().replace("[0, 1]", "[0, 1, 2]"))
    first = start(recipe, tmp_path / "out", "--join")
    while not (tmp_path / "out" / "study.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    second = start(other, tmp_path / "out", "--join")
    said = second.communicate(timeout=300)[1].decode()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.returncode == 2
    assert "has seeds [0, 1], this file [0, 1, 2]" in said
