"""What answers at once must not reach torch: --help, list, and everything a report is rebuilt with."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import mrfusion

ROOT = Path(mrfusion.__file__).parent
HEAVY = ("torch", "monai", "lightning_fabric", "pandas", "plotly", "numpy", "scipy", "numba")
OPTIONAL = ("ray",)  # modules named after a package that may not be installed
LIGHT_ROOMS = ("layouts", "searches", "executors", "comparison", "run_folder", "study", "report")
GROUND = (
    "errors", "families", "case", "plan", "spec", "result", "files", "progress", "rules", "hardware", "command", "cli",
)  # fmt: skip

PROGRAM = """
import contextlib, importlib, io, json, sys
heavy, modules = json.loads(sys.argv.pop())
def call(*words):
    sys.argv = ["mrfusion", *words]
    from mrfusion import cli
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        cli.main()
    return said.getvalue()
def reached():
    return sorted(name for name in heavy if name in sys.modules)
answer = {"help": call("--help"), "reached by help": reached()}
answer |= {"list": call("list"), "reached by list": reached()}
for name in modules:
    importlib.import_module(name)
answer["reached by all"] = reached()
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def answer() -> dict[str, object]:
    """One fresh interpreter that asks for help, lists the choices, then imports every room that must stay light."""
    files = [path for room in LIGHT_ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    files = [path for path in files if path.stem not in OPTIONAL or find_spec(path.stem)]
    names = [".".join(("mrfusion", *path.relative_to(ROOT).with_suffix("").parts)) for path in files]
    modules = [name.removesuffix(".__init__") for name in names] + [f"mrfusion.{name}" for name in GROUND]
    call = [sys.executable, "-c", PROGRAM, json.dumps([HEAVY, modules])]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_names_every_command(answer: dict[str, str]) -> None:
    for command in ("study", "run", "predict", "report", "phantom", "list"):
        assert command in answer["help"]


def test_help_and_list_import_nothing_heavy(answer: dict[str, Any]) -> None:
    assert answer["reached by help"] == []
    assert answer["reached by list"] == []


def test_list_names_every_choice_without_importing_it(answer: dict[str, str]) -> None:
    for path in ROOT.glob("*/_base.py"):
        for choice in path.parent.glob("[!_]*.py"):
            assert f"  {choice.stem} " in answer["list"]


def test_ground_layouts_executors_study_and_report_never_reach_torch(answer: dict[str, list[str]]) -> None:
    assert not {"torch", "monai", "lightning_fabric", "pandas"} & set(answer["reached by all"])
