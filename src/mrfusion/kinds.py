"""What an option of a choice may be: its annotation says it once, and here that is checked and put into words.

``share: Share = 0.5`` in a choice's signature is enough: ``families`` refuses ``share=2`` before the choice is called,
and ``mrfusion list`` says that it is "a number from 0 to 1". NaN lies in no range, infinity in none of the ranges here.
What an annotation cannot say, as that one option is smaller than another, the choice checks itself.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from mrfusion.errors import SpecError

Positive = Annotated[float, Gt(0), Lt(inf)]
NotNegative = Annotated[float, Ge(0), Lt(inf)]
Share = Annotated[float, Ge(0), Le(1)]
BelowOne = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1)]
CountFrom0 = Annotated[int, Ge(0)]

# kind -> what a file can write for it, and what that is called
_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    str: ((str,), "text"),
    bool: ((bool,), "true or false"),
    NoneType: ((NoneType,), "none"),
    **dict.fromkeys((Mapping, dict), ((dict,), "a mapping")),
    **dict.fromkeys((Sequence, tuple), ((list, tuple), "a list")),
}
_RANGES = {
    ("ge",): " of at least {ge}",
    ("gt",): " larger than {gt}",
    ("le",): " of at most {le}",
    ("lt",): " below {lt}",
    ("ge", "le"): " from {ge} to {le}",
    ("ge", "lt"): " from {ge} to below {lt}",
    ("gt", "le"): " larger than {gt} and at most {le}",
    ("gt", "lt"): " larger than {gt} and below {lt}",
}


def check_kind(choice: str, name: str, value: Any, annotation: Any) -> None:
    """SpecError where an option's annotation, if it is one of plain kinds, words and ranges, excludes the value."""
    if not _allows(annotation, value):
        raise SpecError(f"{choice}: expected {in_words(annotation)} for {name}, found {value!r}")


def in_words(annotation: Any) -> str:
    """An annotation in the words of a file; empty where it is none of plain kinds, words and ranges."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(filter(None, map(in_words, parts))))
    if origin is Annotated:
        kind, limits = in_words(parts[0]), _limits(parts)
        if inf in limits.values():
            kind = kind.replace("a ", "a finite ", 1)
        return kind + _RANGES.get(tuple(sorted(name for name in limits if limits[name] != inf)), "").format(**limits)
    return _KINDS[origin or annotation][1] if (origin or annotation) in _KINDS else ""


def _allows(annotation: Any, value: Any) -> bool:
    """Whether an option may have this literal; true where its annotation is none of plain kinds, words and ranges."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return value in parts
    if origin in (Union, UnionType):
        return any(_allows(part, value) for part in parts)
    if origin is Annotated:
        compared = (getattr(operator, name)(value, limit) for name, limit in _limits(parts).items())
        return _allows(parts[0], value) and (not isinstance(value, int | float) or all(compared))
    kind = origin or annotation
    return kind not in _KINDS or type(value) in _KINDS[kind][0]


def _limits(parts: Sequence[Any]) -> dict[str, float]:
    """``ge``, ``gt``, ``le`` and ``lt``, those that are given; also the names of Python's comparisons."""
    return {
        name: limit for part in parts if isinstance(part, Ge | Gt | Le | Lt) for name, limit in asdict(part).items()
    }
