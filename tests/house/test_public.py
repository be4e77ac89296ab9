"""The public face: which names a program may rely on, what they cost to import, and where they are written down."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mrfusion
from mrfusion.cli import app

ROOT = Path(__file__).parents[2]
PACKAGE = Path(mrfusion.__file__).parent
PUBLIC = {  # a change here is a change for users: it needs a line in CHANGELOG.md
    "MrFusionError",
    "Region",
    "__version__",
    "compare",
    "evaluate",
    "list_choices",
    "load_study",
    "predict",
    "read_run",
    "read_study",
    "rule_named",
    "run_study",
    "score_case",
}
LIGHT = """
import json, sys
before = set(sys.modules)
import mrfusion
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""


def stub() -> dict[str, str]:
    """Name -> module, as __init__.pyi tells editors and type checkers."""
    body = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8")).body
    return {alias.name: str(n.module) for n in body if isinstance(n, ast.ImportFrom) for alias in n.names}


def test_what_is_public() -> None:
    assert set(vars(mrfusion)["__all__"]) == PUBLIC
    assert set(dir(mrfusion)) >= PUBLIC
    assert {*stub(), "__version__"} == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_a_public_name_is_what_editors_are_told_and_says_what_it_is(name: str) -> None:
    found = getattr(mrfusion, name)
    assert (found.__module__, found.__name__) == (stub()[name], name)
    assert len(found.__doc__.split("\n")[0]) > 20


def test_the_page_names_them_all_and_no_other() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(r"^\| (`.*?) \|", page, re.M))
    assert set(re.findall(r"`(\w+)`", rows)) == PUBLIC
    assert set(re.findall(r"mrfusion\.([A-Za-z_]+)", "".join(re.findall(r"```python\n(.*?)```", page, re.S)))) == PUBLIC


def test_importing_it_loads_nothing_but_itself() -> None:
    """In a fresh interpreter: of other packages none but the standard library's; numpy would be allowed."""
    said = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert set(json.loads(said.stdout)) - sys.stdlib_module_names <= {"mrfusion", "numpy"}


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'read_studies'; it has .*read_study"):
        mrfusion.read_studies  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["study", "-h"]])
def test_help_has_a_short_name(words: list[str]) -> None:
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def test_the_command_line_says_its_version() -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"mrfusion {mrfusion.__version__}\n")
