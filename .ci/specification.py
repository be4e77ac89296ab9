"""Writes docs/specification.md: every key of a study's file, from the models that read it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from mrfusion.part import part_of
from mrfusion.spec import RunSpec
from mrfusion.study.design import Study

PAGE = Path(__file__).parents[1] / "docs" / "specification.md"
HEADER = "| key | default | what it says |\n|---|---|---|\n"
OPENING = """# Every key of a specification

`python .ci/specification.py` writes this page anew from the models that read the file. A key that is not here is
refused, with the nearest one that is. Choices by name are listed by `mrfusion list`; a value with arguments is text, as
in `network: unet(base=16)`. A study's file holds the keys of a run at its top level, and beside them those of a study;
an arm holds whatever of a run's keys it changes, and `search` or `ensemble` where a search answers for it.

"""
NEEDED = "must be given"


def page() -> str:
    """The whole page."""
    studies = {name: field for name, field in Study.model_fields.items() if name not in Study.not_in_a_file}
    runs = {name: field for name, field in RunSpec.model_fields.items() if name not in RunSpec.not_in_a_file}
    parts = [("A study", studies), ("A run", runs), *_below("", studies), *_below("", runs)]
    return OPENING + "\n".join(f"## {title}\n\n{HEADER}{_rows(fields)}" for title, fields in parts)


def _below(place: str, fields: dict[str, FieldInfo]) -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    for name, field in fields.items():
        part = part_of(field.annotation)
        if part is not None and name != "arms":
            yield f"`{place}{name}`", part.model_fields
            yield from _below(f"{place}{name}.", part.model_fields)


def _rows(fields: dict[str, FieldInfo]) -> str:
    return "".join(
        f"| `{name}` | {_default(name, field)} | {_meaning(name, field)} |\n" for name, field in fields.items()
    )


def _default(name: str, field: FieldInfo) -> str:
    """The last words of the description where they say it, or the value as YAML has it."""
    said = (field.description or "").partition("default: ")[2]
    if said or field.is_required():
        return said or NEEDED
    if part_of(field.annotation) is not None and name != "arms":
        return ""
    plain = isinstance(field.default, bool | int | float | tuple | dict | None)
    text = json.dumps(field.default) if plain else str(field.default)
    return f"`{text}`" if text else ""


def _meaning(name: str, field: FieldInfo) -> str:
    part = part_of(field.annotation)
    if part is not None and name != "arms":
        about = (part.__doc__ or "").splitlines()[0].rstrip(".").replace("``", "`")
        return (
            f"{about[0].lower()}{about[1:]}; {'a list of these' if get_origin(field.annotation) is tuple else 'below'}"
        )
    said = (field.description or "").partition("default: ")[0].rstrip("; ")
    assert said, f"{name} has no description"
    choices = ", ".join(f"`{choice}`" for choice in _choices(field.annotation))
    return f"{said}; one of {choices}" if choices else said


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
