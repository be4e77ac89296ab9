"""Every key of a specification with a value of the wrong type, a value that cannot be, and in the wrong place."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import yaml
from bad_texts import STUDY, study
from sandbox import Bad

from mrfusion.part import Part, part_of
from mrfusion.spec import RunSpec
from mrfusion.study.design import Study

ANY_TEXT = {"name", "question"}  # no text is wrong there
STRANGE: list[Any] = [[{}]]  # no key takes a list of a list of a mapping


def keys(kind: type[Part], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key that a file may hold, as its place and its annotation, parts before what they hold."""
    for name, field in kind.model_fields.items():
        if name in kind.not_in_a_file:
            continue
        yield (*place, name), field.annotation
        inner = part_of(field.annotation)
        if inner is not None and get_origin(field.annotation) is not tuple:
            yield from keys(inner, (*place, name))


KEYS = dict([*keys(RunSpec), *keys(Study)])


def with_value(place: tuple[str, ...], value: Any) -> str:
    """A sound study but for one key."""
    content = here = yaml.safe_load(STUDY)
    for name in place[:-1]:
        here = here.setdefault(name, {})
    here[place[-1]] = value
    return yaml.safe_dump(content)


def cannot_be(annotation: Any) -> Any:
    """A value of about the right type that no such key can have; None where the type says nothing of that."""
    kinds = {annotation, *get_args(annotation)}
    if get_origin(annotation) is Literal or any(get_origin(kind) is Literal for kind in kinds):
        return "nonsense"
    if int in kinds or float in kinds:
        return -7
    return None if bool in kinds else "nonsense"


def another_place(place: tuple[str, ...]) -> tuple[str, ...]:
    """Where the key does not belong: in a part if it stands at the top level, else at the top level."""
    return ("budget", place[-1]) if len(place) == 1 else place[-1:]


def _bad() -> Iterator[Bad]:
    for place, annotation in KEYS.items():
        name, last = ".".join(place), place[-1]
        yield Bad(f"{name} of a wrong type", study(with_value(place, STRANGE), "--dry-run"), (last,))
        value = cannot_be(annotation)
        if value is not None and last not in ANY_TEXT:
            yield Bad(f"{name} of a wrong value", study(with_value(place, value), "--dry-run"), ())
        if another_place(place) not in KEYS and part_of(annotation) is None:
            text = with_value(another_place(place), value or "nonsense")
            yield Bad(f"{name} in a wrong place", study(text, "--dry-run"), (last, "stands"))


BAD_KEYS = list(_bad())
