"""docs/architecture.md says the truth: its floors are those of the walls, and a study takes its four walks."""

import ast
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from test_walls import FAMILIES, FAMILY_FLOOR, FLOORS, REPOSITORY, ROOT

from mrfusion import cli
from mrfusion.phantom.cohort import write_cohort

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\| (\w+) \| `([\w/]+\.py): ([\w.]+)` \|", re.MULTILINE)
FLOOR = re.compile(r"^\| (\d) \| ([\w, ]+) \|$", re.MULTILINE)
SAID = re.compile(r"^(\d+) rooms; entered more than once: (.+)\.$", re.MULTILINE)
Step = tuple[str, str, str]  # room, file in it, function
STUDY = """
data:
  sources: [{{path: {home}/phantom, layout: brats(year=2023)}}]
  split: {{folds: 2}}
network: unet(base=4,stages=2)
absence: {{t1c: 0.5}}
sampling: {{per_case: 1}}
budget: {{epochs: 1}}
machine: {{threads: 1}}
arms:
  concat: {{}}
  mmtm: {{plan: "separate[mmtm]"}}
folds: [0]
"""


def walks() -> dict[str, list[Step]]:
    """Title -> the steps under it."""
    found = {part.split("\n", 1)[0]: STEP.findall(part) for part in PAGE.split("\n## ")}
    return {title: steps for title, steps in found.items() if steps}


def place(room: str, file: str) -> Path:
    return ROOT / file if file == f"{room}.py" else ROOT / room / file


def functions(path: Path) -> Iterator[str]:
    """``function`` and ``Class.function`` of a file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))


def test_the_floors_are_those_of_the_walls() -> None:
    said = {int(floor): set(rooms.split(", ")) for floor, rooms in FLOOR.findall(PAGE)}
    assert said == {**{floor: rooms - {"__main__"} for floor, rooms in FLOORS.items()}, FAMILY_FLOOR: FAMILIES}


def test_there_are_four_walks() -> None:
    assert len(walks()) == len(SAID.findall(PAGE)) == 4


@pytest.mark.parametrize("title", walks())
def test_every_step_is_there(title: str) -> None:
    missing = [step for step in walks()[title] if step[2] not in set(functions(place(*step[:2])))]
    assert missing == []


@pytest.mark.parametrize("title", walks())
def test_the_rooms_are_counted(title: str) -> None:
    entered = Counter(room for room, _ in groupby(room for room, _, _ in walks()[title]))
    again = sorted(
        ((count, room) for room, count in entered.items() if count > 1), key=lambda each: (-each[0], each[1])
    )
    said = SAID.search(PAGE.split(f"\n## {title}\n")[1])
    assert said is not None
    assert said.groups() == (str(len(entered)), ", ".join(f"{room} ({count})" for count, room in again))


@pytest.mark.slow
def test_a_study_takes_the_walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny study in this process; what it calls holds each walk, step after step, with other calls between."""
    write_cohort(tmp_path / "phantom", cases=6, spacing_mm=8.0, seed=0, workers=1)
    (tmp_path / "study.yaml").write_text(STUDY.format(home=tmp_path))
    steps = {step for walk in walks().values() for step in walk}
    known = {(str(place(room, file)), name): (room, file, name) for room, file, name in steps}
    called: list[Step] = []
    wanted: dict[CodeType, Step | None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code not in wanted:
            wanted[code] = known.get((code.co_filename, code.co_qualname))
        if event == "call" and (step := wanted[code]) and called[-1:] != [step]:
            called.append(step)

    call = ["mrfusion", "study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*call, "--executor", "in_process:InProcess"])
    threading.setprofile(note)  # batches are read ahead by another thread
    sys.setprofile(note)
    try:
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.main()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    for title, walk in walks().items():
        rest = iter(called)
        stopped = next((step for step in walk if step not in rest), None)
        assert stopped is None, f"{title}: not called after the step before it: {stopped}"
