"""A frozen part of a specification: read from plain values, merged key by key, its errors told as sentences."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mrfusion.errors import SpecError, nearest

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Part(BaseModel):
    """A frozen part of a specification; an unknown key is an error."""

    not_in_a_file: ClassVar[frozenset[str]] = frozenset()  # fields that mrfusion fills in itself
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


P = TypeVar("P", bound=Part)


def read_part(kind: type[P], content: Any, place: str, *, beside: type[Part] | None = None) -> P:
    """A part of a specification from plain values; SpecError that names the place, the key and the nearest keys.

    A key that stands in the wrong place is looked for in ``kind``, and in ``beside``, which shares its file.
    """
    if not isinstance(content, Mapping):
        raise SpecError(f"{place}: expected keys and values, found {type(content).__name__}")
    try:
        return kind.model_validate(dict(content))
    except ValidationError as error:
        faults = error.errors()
        # a list whose only entry is wrong would also be called too short
        own = [f for f in faults if f["type"] != "too_short" or not any(_is_inside(e["loc"], f["loc"]) for e in faults)]
        raise SpecError("\n".join(_sentence(kind, place, fault, beside or kind) for fault in own)) from None


def _is_inside(location: tuple[Any, ...], outer: tuple[Any, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, parts merged key by key."""
    merged = dict(base)
    for key, value in changes.items():
        both_parts = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both_parts and key != "options" else value
    return merged


def _sentence(kind: type[Part], place: str, error: Any, beside: type[Part]) -> str:
    where = ".".join(str(piece) for piece in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_at(kind, error["loc"][:-1])
        return f"{place}: {unknown(str(error['loc'][-1]), where, known, (kind, beside))}"
    if error["type"] == "missing":
        return f"{place}: {where} must be given"
    expected, found = _expected(error), repr(error["input"])
    return f"{place}: {where}: {expected}" if found in expected else f"{place}: {where}: {expected}, found {found}"


_EXPECTED = {
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "dict_type": "expected names with values",
    "finite_number": "expected a finite number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "greater_than": "expected a number larger than {gt}",
    "greater_than_equal": "expected a number of at least {ge}",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected a number of at most {le}",
    "literal_error": "expected {expected}",
    "model_type": "expected keys and values",
    "path_type": "expected a path",
    "string_type": "expected text",
    "too_long": "expected at most {max_length} entries",
    "too_short": "expected at least {min_length} entry",
    "tuple_type": "expected a list, as in [a, b]",
}


def _expected(error: Any) -> str:
    """What would have been right, in the words of a file; pydantic's own words for what is not in the table."""
    known = _EXPECTED.get(error["type"])
    own = str(error["msg"]).removeprefix("Value error, ")
    return own if known is None else known.format(**error.get("ctx", {}))


def _keys_at(kind: type[Part], location: tuple[Any, ...]) -> list[str]:
    for piece in location:
        field = kind.model_fields.get(str(piece))
        kind = (part_of(field.annotation) if field else None) or kind
    return [name for name in kind.model_fields if name not in kind.not_in_a_file]


def unknown(key: str, where: str, known: Collection[str], kinds: Iterable[type[Part]]) -> str:
    """What to say of a key that is not among the ``known`` ones of its place: where it belongs, or the nearest."""
    if key not in known and (homes := sorted(home for kind in kinds for home in _homes(key, kind))):
        best = homes[0]
        return (
            f"no key is called {where!r}; {key} stands under {best}: write {best}: {{{key}: ..}}"
            if best
            else (f"no key is called {where!r}; {key} stands at the top level of the file")
        )
    return f"no key is called {where!r}; {nearest(key, known)}"


def _homes(key: str, kind: type[Part], place: str = "") -> Iterator[str]:
    """The places of a specification that have a key of this name; empty for the top level."""
    if key in kind.model_fields:
        yield place
    for name, field in kind.model_fields.items():
        inner = part_of(field.annotation)
        if inner is not None and name not in kind.not_in_a_file:
            yield from _homes(key, inner, f"{place}.{name}" if place else name)


def part_of(annotation: Any) -> type[Part] | None:
    """The part of a specification that an annotation names, alone, as an alternative or in a tuple."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Part):
            return kind
    return None
