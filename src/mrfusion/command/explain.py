"""What a choice does, which options it takes and how it is written in a file: read from its source, not imported."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from mrfusion import families
from mrfusion.errors import SpecError, nearest
from mrfusion.kinds import in_words

NEEDED = "must be given"
_ENTRY = re.compile(r"(\w+): (.*)")
_DRAWN = re.compile(r"^(?:\s|[-*=] |=|\||\w+\s{2,})", re.M)  # a table, a list, or a line that is indented
_SIGN = re.compile(r"([*<>\[\]$|#~]|(?<!\w)_|_(?!\w))")  # what Markdown would read as more than itself
_LIMITS = (Ge, Gt, Le, Lt)
_PLAIN = (int, float, str, bool, dict, tuple, Mapping, Sequence, *_LIMITS)
# what annotations are made of, by the names that sources have for it
_PARTS: dict[str, Any] = {part.__name__: part for part in _PLAIN} | {
    "Annotated": Annotated,
    "Literal": Literal,
    "inf": inf,
}


@dataclass(frozen=True)
class Option:
    """One option of a choice: its name, the values it takes, its default as written in a file, and what it means."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Explanation:
    """A choice of a family: ``about`` is its docstring without the options, ``example`` a line of a study's file."""

    family: str
    name: str
    summary: str
    about: str
    options: tuple[Option, ...]
    example: str


def explain(family: str, name: str) -> Explanation:
    """The explanation of one choice; SpecError, with the nearest names, where there is no such family or choice."""
    if family not in families.families():
        raise SpecError(f"no family is called {family!r}; {nearest(family, families.families())}")
    if name not in families.names(family):
        raise SpecError(f"no {family} choice is called {name!r}; {nearest(name, families.names(family))}")
    path = families.ROOT / family / f"{name}.py"
    target = _target(path, name)
    summary, _, more = (ast.get_docstring(_tree(path)) or "").partition("\n")
    about, meanings, example = _divided(ast.get_docstring(target) or "")
    signature = _signature(target, path)
    options = tuple(_option(option, meaning, signature) for option, meaning in meanings.items())
    text = "\n\n".join(part for part in (more.strip(), about) if part)
    return Explanation(family, name, summary, text, options, in_file(family, example or name))


def in_file(family: str, choice: str) -> str:
    """How a choice is named in a study's file or on the command line, as the family's ``_base`` says."""
    form = _assigned("IN_FILE", families.ROOT / family / "_base.py")
    if isinstance(form, str):
        return form.replace("CHOICE", choice)
    raise SpecError(f"the family {family} does not say how its choices are written: give its _base.py an IN_FILE")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _target(path: Path, name: str) -> ast.ClassDef | ast.FunctionDef:
    """The class or function that has the file's name, up to capitals and underscores."""
    for node in _tree(path).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and _same(node.name, name):
            return node
    raise SpecError(f"{path} should hold a class or function called {name!r}, up to capitals; it has none")


def _same(one: str, other: str) -> bool:
    return one.replace("_", "").lower() == other.replace("_", "").lower()


def _divided(docstring: str) -> tuple[str, dict[str, str], str]:
    """A docstring's prose, what stands under ``Options:``, and the text after ``Example:``."""
    about, _, rest = docstring.partition("\nOptions:\n")
    meanings: dict[str, str] = {}
    example = ""
    for line in inspect.cleandoc(rest).splitlines():
        if line.startswith("Example: "):
            example = line.removeprefix("Example: ").strip()
        elif match := _ENTRY.match(line.strip()):
            meanings[match[1]] = match[2]
        elif meanings and line.strip():
            meanings[next(reversed(meanings))] += f" {line.strip()}"
    return about.strip(), meanings, example


def _option(name: str, meaning: str, signature: dict[str, tuple[str, str]]) -> Option:
    """``default: ...`` at the end of a meaning stands for a default that the signature cannot say."""
    kind, default = signature.get(name, ("", ""))
    meaning, _, said = meaning.partition("; default: ")
    return Option(name, kind, said or default or NEEDED, meaning)


def _signature(target: ast.ClassDef | ast.FunctionDef, path: Path) -> dict[str, tuple[str, str]]:
    """Argument -> its annotation and its default as a file says it; a class's own, or that of the class it extends."""
    if isinstance(target, ast.FunctionDef):
        return dict(_arguments(target.args, path))
    for node in target.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return dict(_arguments(node.args, path)) | _kept_options(target, path)
    if any("dataclass" in ast.unparse(decorator) for decorator in target.decorator_list):
        return dict(_fields(target, path))
    for base in target.bases:
        if isinstance(base, ast.Name) and (home := _home(base.id, path)) is not None:
            return _signature(_target(home, base.id), home)
    return {}


def _fields(target: ast.ClassDef, path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """The fields of a dataclass: its arguments."""
    for node in target.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = in_words(_meant(node.annotation, path))
            yield node.target.id, (kind, "" if node.value is None else _value(node.value))


def _home(name: str, path: Path) -> Path | None:
    """The file of mrfusion from which ``path`` imports a class; None where it comes from elsewhere."""
    for node in _tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            root, *parts = node.module.split(".")
            return families.ROOT.joinpath(*parts).with_suffix(".py") if root == "mrfusion" else None
    return None


def _arguments(arguments: ast.arguments, path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    listed = [*arguments.posonlyargs, *arguments.args]
    places: list[ast.expr | None] = [None] * (len(listed) - len(arguments.defaults))
    pairs = [*zip(listed, [*places, *arguments.defaults], strict=True)]
    pairs += [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for argument, default in pairs:
        yield argument.arg, (in_words(_meant(argument.annotation, path)), "" if default is None else _value(default))
    for several, default_text in ((arguments.vararg, "none"), (arguments.kwarg, "none")):
        if several is not None:
            yield several.arg, (in_words(_meant(several.annotation, path)), default_text)


def _kept_options(target: ast.ClassDef, path: Path) -> dict[str, tuple[str, str]]:
    """The fields of the dataclass in which a choice keeps what it is given as ``**options``, if it says which."""
    for node in target.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "options":
            name = ast.unparse(node.annotation)
            home = _home(name, path) or path
            return _signature(_target(home, name), home)
    return {}


def _meant(node: ast.expr | None, path: Path) -> Any:
    """The annotation that stands in a file, as Python has it; Any where it speaks of what is no plain kind."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _PARTS[name] if name in _PARTS else _assigned(name, path)
        case ast.Tuple(elts=parts):
            return tuple(_meant(part, path) for part in parts)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _meant(left, path) | _meant(right, path)
        case ast.Subscript(value=outer, slice=inner) if (kind := _meant(outer, path)) is not Any:
            return kind[_meant(inner, path)]
        case ast.Call(func=function, args=[limit]) if (kind := _meant(function, path)) in _LIMITS:
            return kind(_meant(limit, path))
    return Any


def _assigned(name: str, path: Path) -> Any:
    """What a name stands for in a file, or in the one of mrfusion from which this imports it; Any for a class."""
    home = _home(name, path) or path
    for node in _tree(home).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return _meant(node.value, home)
    return Any


def _value(default: ast.expr) -> str:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)
    if value in ((), [], {}, None):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def families_of(name: str) -> list[str]:
    """The families that have a choice of this name."""
    return [family for family in families.families() if name in families.names(family)]


def as_text(found: Explanation) -> str:
    """An explanation for the terminal."""
    lines = [f"{found.name} ({found.family})", found.summary, "", found.about, ""]
    for option in found.options:
        lines.append(f"  {option.name}: {option.kind}; {_default_said(option)}" if option.kind else
                     f"  {option.name}: {_default_said(option)}")  # fmt: skip
        lines.append(f"      {option.meaning}")
    lines += ["", "Example:", f"  {found.example}"] if found.options else ["Example:", f"  {found.example}"]
    return "\n".join(lines)


def _default_said(option: Option) -> str:
    return NEEDED if option.default == NEEDED else f"default: {option.default}"


def as_markdown(about: str) -> str:
    """A docstring's prose as Markdown: lines are joined to paragraphs; tables and what is indented stay as they are."""
    blocks = [block for block in re.split(r"\n\s*\n", about.strip("\n")) if block.strip()]
    return "\n\n".join(f"```text\n{block}\n```" if _DRAWN.search(block) else _paragraph(block) for block in blocks)


def _paragraph(block: str) -> str:
    """Nothing but what stands between two marks of code is read as a mark."""
    parts = " ".join(block.split()).replace("``", "`").split("`")
    return "`".join(part if number % 2 else _SIGN.sub(r"\\\1", part) for number, part in enumerate(parts))
