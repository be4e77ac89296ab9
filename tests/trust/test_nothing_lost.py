"""Nothing is lost: kills, Ctrl-C, two processes in one folder, a full disk, a folder that cannot be written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import finish, kill_and_go_on, make_recipe, numbers, start

from mrfusion.errors import OutputError
from mrfusion.lock import alone
from mrfusion.phantom.cohort import write_cohort

HOLD = """
import sys, time
from pathlib import Path
from mrfusion.lock import alone
with alone(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    phantom = write_cohort(folder / "phantom", cases=8, spacing_mm=6.0, workers=1)
    return make_recipe(folder, phantom)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock ``it.lock``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "it.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_refuses_the_second_and_forgets_the_dead(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    refused = pytest.raises(OutputError, match="another process is at work on the study")
    with refused, alone(tmp_path / "it.lock", "the study", patience_seconds=0.1):
        raise AssertionError
    holder.kill()
    holder.wait()  # until then it is there for whoever asks the system
    with alone(tmp_path / "it.lock", "the study", patience_seconds=10):
        pass


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), alone(tmp_path / "file" / "lock", "it"):
        raise AssertionError


@pytest.mark.slow
def test_killed_at_random_moments_and_started_again(recipe: Path, tmp_path: Path) -> None:
    tally = kill_and_go_on(recipe, tmp_path, kills=5, seed=0)
    assert tally.kills >= 5
    assert tally.identical == tally.studies
    assert tally.repeated == 0


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_says_one_sentence_and_goes_on_later(recipe: Path, tmp_path: Path, sent: int) -> None:
    process = start(recipe, tmp_path / "out")
    while not list((tmp_path / "out").glob("runs/.*.partial/last.pt")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 2
    assert "stopped; finished runs and epochs are kept" in said
    assert "Traceback" not in said
    assert _others_of(process.pid) == []
    finish(recipe, tmp_path / "out")


@pytest.mark.slow
def test_two_at_once_in_one_folder(recipe: Path, tmp_path: Path) -> None:
    first = start(recipe, tmp_path / "out")
    while not (tmp_path / "out" / "study.json").exists():
        time.sleep(0.05)
    second = start(recipe, tmp_path / "out")
    said = second.communicate(timeout=120)[1].decode()
    assert second.returncode == 2
    assert "another process is at work on the study" in said
    assert first.wait(timeout=300) == 0
    first.communicate()
    finish(recipe, tmp_path / "alone")
    assert numbers(tmp_path / "out") == numbers(tmp_path / "alone")


@pytest.mark.slow
def test_a_full_disk_is_one_message_and_what_was_finished_stays(recipe: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        process = start(recipe, small / "out")
        said = process.communicate(timeout=300)[1].decode()
        assert process.returncode == 2
        assert "cannot write" in said or "No space left" in said
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        finish(recipe, small / "out")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_read_only_is_one_message(recipe: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a disk that is read-only needs the right to mount one")
    try:
        process = start(recipe, disk / "out")
        said = process.communicate(timeout=300)[1].decode()
        assert process.returncode == 2
        assert "cannot write" in said
        assert "Traceback" not in said
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _others_of(group: int) -> list[str]:
    """The commands of the processes that are left in a process group; one that only waits to be reaped has none."""
    left = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                left.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, ProcessLookupError):
            continue
    return [command for command in left if command]
