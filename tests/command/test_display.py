"""What long work shows on a terminal of 80 columns: how much is done and how long it takes, before anything else."""

import io
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console

from mrfusion.command import display
from mrfusion.command.display import StudyView, one_bar

BEGIN = re.compile(r"^ *\d+/\d+ +(-:--:--|\d+:\d\d:\d\d) left ")
LONG = "separate with energies and dynamic weights, fold 3, seed 2"


def lines(monkeypatch: pytest.MonkeyPatch, told: dict[str, dict[str, object]], *, total: int, done: int) -> list[str]:
    narrow = Console(width=80, stderr=True)
    monkeypatch.setattr(display, "complaints", narrow)
    view = StudyView({"a": LONG}, total)
    view.watch(told, done)
    with narrow.capture() as capture:
        narrow.print(view.bars)
    return capture.get().splitlines()


def test_the_count_and_the_time_left_come_first_however_long_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"a": {"done": 30, "total": 400, "what": "epoch 1/30, loss 0.123, best validation 0.456"}}
    found = lines(monkeypatch, told, total=120, done=7)
    assert len(found) == 2, "a row that is too long is cut, not broken"
    assert all(BEGIN.match(line) for line in found), found
    assert all(len(line) <= 80 for line in found)
    assert found[0].split()[0] == "7/120"
    assert found[1].split()[0] == "30/400"
    assert "separate with" in found[1]
    assert found[1].rstrip().endswith("…")


def test_work_of_one_piece_has_no_bar_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"a": {"done": 3, "total": 300, "what": "preparing 3 of 300, case-3: new"}}
    (row,) = lines(monkeypatch, told, total=0, done=0)
    assert BEGIN.match(row)


def test_a_bar_is_for_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and notebooks get no line of it, not even an empty one."""
    file = io.StringIO()
    monkeypatch.setattr(display, "complaints", Console(file=file, force_terminal=False))
    with one_bar("preparing") as tell:
        tell(1, 2, "case-1")
    assert file.getvalue() == ""


def test_force_color_asks_for_colours_and_not_for_bars() -> None:
    """ipykernel sets it for every program that a notebook starts."""
    command = "from mrfusion.command.display import complaints; print(complaints.is_terminal)"
    environment = {**os.environ, "FORCE_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "False\n"
