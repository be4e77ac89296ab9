"""Writes docs/api.md and docs/files.md: the public names and the files of a run and a study, from the sources."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

import mrfusion
from mrfusion.command.explain import as_markdown
from mrfusion.run_folder import run, study

DOCS = Path(__file__).parents[1] / "docs"
MADE = "Made by `python .ci/reference.py` from the sources."
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_FILE = re.compile(r"^\s*([\w<>-]+(?:/[\w<>./-]*|\.\w+)(?:, \.\w+)?)\s{2,}(\S.*)$")


def api() -> str:
    """The page of public names: how each is called, and what it says of itself."""
    homes: dict[str, str] = vars(mrfusion)["_HOMES"]
    sections = [_section(name, homes[name]) for name in sorted(homes, key=str.lower)]
    return (
        f"# Public names of Python\n\n{MADE} Each is imported from `mrfusion` itself; [mrfusion from Python](python.md)"
        " shows all of them in use.\n\n" + "\n".join(sections)
    )


def files() -> str:
    """The page of files: those of a study, then those of each run in it."""
    return (
        f"# Files of a run and of a study\n\n{MADE}\n\nA study is one folder, the `--out` of the command. Everything "
        "in it is written whole or not at all, so a program that reads it never meets half a file. Tables are CSV, "
        "everything else is JSON; weights are safetensors, arrays are npz.\n\n"
        f"## A study, `OUT`\n\n{_table(study.__doc__)}\n## A run, `OUT/runs/<digest>`\n\n{_table(run.__doc__)}\n"
        "While a run goes on, its folder also holds the checkpoints `last.pt` and `previous.pt` and "
        "`best.safetensors`.\n\n"
        '`mrfusion.load_study("out").scores` gives the long table from Python, see [mrfusion from Python](python.md).\n'
    )


def listed(documentation: str | None) -> list[tuple[str, str]]:
    """The files that the docstring of a folder's module lists, and what each holds."""
    return [(match[1], match[2]) for line in (documentation or "").splitlines() if (match := _FILE.match(line))]


def _table(documentation: str | None) -> str:
    rows = "".join(f"| `{name}` | {_plain(text)} |\n" for name, text in listed(documentation))
    return f"| file | holds |\n|---|---|\n{rows}"


def _section(name: str, home: str) -> str:
    found = importlib.util.find_spec(home)
    assert found is not None
    tree = ast.parse(Path(str(found.origin)).read_text(encoding="utf-8"))
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
    called = _call(node)
    about = inspect.cleandoc(ast.get_docstring(node) or "")
    return f"## {name}\n\n```python\n{called}\n```\n\n{as_markdown(_plain(about))}\n"


def _call(node: ast.FunctionDef | ast.ClassDef) -> str:
    """How a function is called; of a class its fields, or its name alone."""
    if isinstance(node, ast.FunctionDef):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        given = _arguments(node.args)
        one = f"{node.name}({', '.join(given)}){returns}"
        return one if len(one) <= 80 else f"{node.name}(\n    " + ",\n    ".join(given) + f",\n){returns}"
    fields = [ast.unparse(each) for each in node.body if isinstance(each, ast.AnnAssign)]
    return f"{node.name}({', '.join(fields)})" if fields else node.name


def _arguments(given: ast.arguments) -> list[str]:
    """Each argument with its type and its default, and the star before those that are named."""
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    found = [_argument(each, default) for each, default in zip(plain, defaults, strict=True)]
    named = [_argument(each, value) for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [*found, *(["*"] if named else []), *named]


def _argument(each: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(each) + (f" = {ast.unparse(default)}" if default is not None else "")


def _plain(text: str) -> str:
    """Without the marks of references, which no reader needs."""
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


if __name__ == "__main__":
    (DOCS / "api.md").write_text(api(), encoding="utf-8")
    (DOCS / "files.md").write_text(files(), encoding="utf-8")
