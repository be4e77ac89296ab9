"""Families of choices: a plural folder is a family, each of its files one choice that a user can name.

There is no registry. A choice's name is its file's name, or ``package.module:Class`` from anyone's own package; its
arguments stand in the text, ``mmtm(ratio=8)``. In its file a choice is the class or function that has the file's
name, up to capitals and underscores: ``fusions/max.py`` holds ``Max``, ``metrics/lesion_dice.py`` ``lesion_dice``.
"""

import ast
import functools
import importlib
import inspect
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from mrfusion.errors import SpecError, nearest
from mrfusion.kinds import check_kind

ROOT = Path(__file__).parent
_CALL = re.compile(r"^\s*([A-Za-z_][\w.]*(?::[A-Za-z_]\w*)?)\s*(\(.*\))?\s*$", re.DOTALL)
MOST = 1_000_000  # what a choice is given counts layers, channels, epochs: none of them has more
_ADDRESS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None, "inf": float("inf")}


@dataclass(frozen=True)
class Call:
    """A choice as text: its name and the arguments in parentheses."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        parts = [_word(a) for a in self.args] + [f"{k}={_word(v)}" for k, v in self.kwargs]
        return f"{self.name}({','.join(parts)})" if parts else self.name


def parse(text: str) -> Call:
    """Read ``name`` or ``name(1, t1c, ratio=8)``; bare words are strings, true/false/none/inf what they say.

    Nothing is evaluated: the arguments must be literals. Raises SpecError on anything else.
    """
    match = _CALL.match(text)
    if not match:
        raise SpecError(f"expected a name like 'mmtm' or 'mmtm(ratio=8)', found {text!r}")
    name, arguments = match.groups()
    try:
        tree = ast.parse(f"_{arguments or '()'}", mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ValueError("not one call")
        keys = [str(k.arg) for k in tree.keywords if k.arg is not None]
        if len(keys) < len(tree.keywords) or len(keys) > len(set(keys)):
            raise ValueError("an argument is given twice or is no single one")
        args = tuple(_literal(a) for a in tree.args)
        kwargs = tuple(sorted(zip(keys, (_literal(k.value) for k in tree.keywords), strict=True), key=itemgetter(0)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise SpecError(
            f"expected literal arguments as in 'mmtm(ratio=8)', found {text!r} ({error}); text other than a "
            "plain word stands in quotes"
        ) from None
    return Call(name, args, kwargs)


def names(family: str) -> list[str]:
    """The choices of a family, sorted: its files without an underscore in front."""
    return sorted(p.stem for p in (ROOT / family).glob("*.py") if not p.stem.startswith("_"))


def summaries(family: str) -> dict[str, str]:
    """The first line of each choice's docstring, read without importing it."""
    return {name: _first_line(ROOT / family / f"{name}.py") for name in names(family)}


def families() -> list[str]:
    """The families there are: folders of choices."""
    return sorted(p.parent.name for p in ROOT.glob("*/_base.py"))


def list_choices(family: str | None = None) -> dict[str, dict[str, str]]:
    """Every choice that a specification can name: family -> name -> what it is, in one line; nothing is imported.

    ``family`` asks for that one alone. Raises SpecError, with the nearest families, where there is none of that name.
    """
    if family is not None and family not in families():
        raise SpecError(f"no family is called {family!r}; {nearest(family, families())}")
    return {name: summaries(name) for name in (families() if family is None else [family])}


def load(family: str, text: str, options: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """The choice named by ``text``, with the text's arguments already given.

    ``options`` are those that a file says beside the text; with them the choice is told everything, so one that must
    be given and is not is found here. Raises SpecError for an unknown name or argument, with the nearest that exist.
    """
    call = parse(text)
    target = _find(family, call.name)
    both = replace(call, kwargs=(*call.kwargs, *(options or {}).items()))
    _check_arguments(target, both, family)
    if options is not None:
        _check_all_given(target, both, family)
    return functools.partial(target, *both.args, **dict(both.kwargs)) if both.args or both.kwargs else target


def piece(place: str, name: str) -> Callable[..., Any]:
    """What a choice names of a module of the machinery: ``Decoder`` of ``mrfusion.model.decoder``; or, by its address,
    ``package.module:Class``, of anyone's own."""
    return load("piece", name if ":" in name else f"{place}:{name}")


def addresses(value: Any) -> list[str]:
    """Every ``package.module:Class`` in the strings of a JSON value: code from outside that it would have run."""
    if isinstance(value, str):
        return _ADDRESS.findall(value)
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return sorted({address for part in parts for address in addresses(part)})


def module_of(family: str, text: str) -> Any:
    """The module that holds the choice named by ``text``, for what a choice says beside its function."""
    target = _find(family, parse(text).name)
    return importlib.import_module(target.__module__)


def _find(family: str, name: str) -> Callable[..., Any]:
    if ":" in name:
        return _find_outside(name)
    if name not in names(family):
        raise SpecError(f"no {family} choice is called {name!r}; {nearest(name, names(family))}")
    module = importlib.import_module(f"mrfusion.{family}.{name}")
    key = name.replace("_", "")
    for attribute, value in vars(module).items():
        if attribute.replace("_", "").lower() == key and getattr(value, "__module__", "") == module.__name__:
            return value  # type: ignore[no-any-return]
    raise SpecError(f"{module.__file__} should hold a class or function called {name!r}, up to capitals; it has none")


def _find_outside(name: str) -> Callable[..., Any]:
    module_name, attribute = name.split(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise SpecError(f"expected {name!r} to be an importable 'package.module:Class', found: {error}") from None


def _check_arguments(target: Callable[..., Any], call: Call, family: str) -> None:
    signature = inspect.signature(target)
    known = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and not _is_filled(p, call)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for key, _ in call.kwargs:
        if key not in known and not takes_any:
            raise SpecError(f"{family} choice {call.name!r} takes no argument {key!r}; {nearest(key, known)}")
    try:
        bound = signature.bind_partial(*call.args, **dict(call.kwargs))
    except TypeError as error:
        raise SpecError(f"{family} choice {str(call)!r}: {error}; it takes {', '.join(known) or 'nothing'}") from None
    for name, value in bound.arguments.items():
        _check_counts(name, value, str(call))
        _check_kinds(signature.parameters[name], value, f"{family} choice {str(call)!r}")


def _is_filled(parameter: inspect.Parameter, call: Call) -> bool:
    """Whether the program gives it, as the images to a metric: of our choices, what may be unnamed and has no default,
    unless an unnamed argument stands in the text."""
    own = ":" not in call.name and not call.args
    return own and parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty


def _check_counts(name: str, value: Any, choice: str) -> None:
    """SpecError where a whole number is larger than any count that a choice can mean; seeds are no counts."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for part in parts:
        _check_counts(name, part, choice)
    if type(value) is int and abs(value) > MOST and name != "seed":
        raise SpecError(f"{choice}: expected at most {MOST} for {name}, found {value}; write a smaller number")


def _check_all_given(target: Callable[..., Any], call: Call, family: str) -> None:
    """SpecError where an option has no default and is not given; what machinery hands over is positional."""
    parameters = inspect.signature(target).parameters.values()
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    given = dict(call.kwargs)
    if lacking := [name for name in needed if name not in given]:
        raise SpecError(
            f"{family} choice {call.name!r} must be told {', '.join(needed)}; {', '.join(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} not given. 'mrfusion list {family} {call.name}' explains each, "
            "with an example"
        )


def _check_kinds(parameter: inspect.Parameter, value: Any, choice: str) -> None:
    """SpecError where an annotation says what literal is expected and another one is given."""
    several = {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    given = value.values() if isinstance(value, dict) else value
    for each in given if parameter.kind in several else (value,):
        check_kind(choice, parameter.name, each, parameter.annotation)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id.lower(), node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_literal(e) for e in node.elts)
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Name | ast.Constant) for key in node.keys):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Name):
        return -float("inf") if node.operand.id.lower() == "inf" else ast.literal_eval(node)
    return ast.literal_eval(node)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN.match(value) and value.lower() not in {*_WORDS, *keyword.kwlist} else repr(value)
    if isinstance(value, dict):
        return f"{{{','.join(f'{_word(k)}:{_word(v)}' for k, v in value.items())}}}"
    if isinstance(value, tuple):
        return f"({','.join(_word(v) for v in value)}{',' if len(value) == 1 else ''})"
    return str(value).lower() if value is None or isinstance(value, bool) else repr(value)


def _first_line(path: Path) -> str:
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return documentation.split("\n", 1)[0]
