"""What an option may be: said once in a signature, checked before the choice is called, and shown by ``mrfusion list``.

A contract over all choices: each range is tried at its ends and just beyond them, through ``families.load``.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from importlib.util import find_spec
from math import inf, isinf, nan, nextafter
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from annotated_types import Gt, Le, Lt

from mrfusion import families
from mrfusion.command.explain import as_text, explain
from mrfusion.errors import SpecError
from mrfusion.kinds import BelowOne, Count, CountFrom0, NotNegative, Positive, Share, check_kind, in_words

PACKAGES = {"ray": "ray", "mlflow": "mlflow", "tensorboard": "tensorboard", "onnx": "onnx", "cagrad": "cvxpy"}
TOLD = {"backbones": (3,), "fusions": (2, 4, 2), "image_fusions": ("t1c", "t2f"), "losses": (True,)}  # by the program
CHOICES = [
    (family, name)
    for family in families.families()
    for name in families.names(family)
    if name not in PACKAGES or find_spec(PACKAGES[name])
]


def annotations(family: str, name: str) -> dict[str, Any]:
    """Argument -> annotation; those of ``**options`` where a choice says in which dataclass it keeps them."""
    target = families.load(family, name)
    found = {p.name: p.annotation for p in inspect.signature(target).parameters.values()}
    kept = inspect.get_annotations(target).get("options")
    return found | ({field.name: field.type for field in fields(kept)} if is_dataclass(kept) else {})


def ranges(annotation: Any) -> Iterator[tuple[type, dict[str, float]]]:
    """The kind of each range in an annotation, and its limits: ge, gt, le, lt."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield parts[0], {name: end for limit in parts[1:] for name, end in asdict(limit).items()}
    elif get_origin(annotation) is not Literal:
        for part in parts:
            yield from ranges(part)


RANGES = [
    (family, name, option, kind, limits)
    for family, name in CHOICES
    for option, annotation in annotations(family, name).items()
    for kind, limits in ranges(annotation)
]


def inside(kind: type, limits: Mapping[str, float]) -> list[float]:
    """The ends that belong to a range, and numbers near those that do not."""
    near = {"ge": 0.0, "le": 0.0, "gt": 1e-3, "lt": -1e-3}
    return [kind(end + near[name]) for name, end in limits.items() if not isinf(end)]


def outside(kind: type, limits: Mapping[str, float]) -> list[float]:
    """The next number beyond the ends that belong to a range, the ends that do not, and what lies in no range."""

    def beyond(name: str, end: float) -> float:
        if name in ("gt", "lt"):
            return end
        step = 1 if name == "le" else -1
        return end + step if kind is int else nextafter(end, step * inf)

    return [*(beyond(*limit) for limit in limits.items()), nan, -inf, True]


def make(family: str, name: str, options: Mapping[str, Any]) -> None:
    """The choice as a run makes it; a function, such as a metric, is not called."""
    choice = families.load(family, name, options)
    if inspect.isclass(families.load(family, name)):
        choice(*TOLD.get(family, ()))


def test_many_options_have_ranges() -> None:
    assert {family for family, *_ in RANGES} >= {
        "augmentations", "backbones", "balancers", "class_metrics", "executors", "fusions", "image_fusions", "losses",
        "metrics", "schedules", "searches",
    }  # fmt: skip
    assert len(RANGES) > 60


@pytest.mark.parametrize(("family", "name", "option", "kind", "limits"), RANGES)
def test_a_range_holds_at_its_ends_and_not_beyond(
    family: str, name: str, option: str, kind: type, limits: dict[str, float]
) -> None:
    for number in inside(kind, limits):
        make(family, name, {option: number})
    for number in outside(kind, limits):
        with pytest.raises(SpecError, match=rf"{family} choice '{name}.*expected .*number.* for {option}, found"):
            make(family, name, {option: number})


@pytest.mark.parametrize(("family", "name"), CHOICES)
def test_list_shows_what_each_option_may_be(family: str, name: str) -> None:
    """It reads the sources; the signature is what is checked."""
    wanted = {option: in_words(annotation) for option, annotation in annotations(family, name).items()}
    found = explain(family, name)
    for option in found.options:
        assert option.kind == wanted[option.name]
        assert f"  {option.name}: {option.kind}" in as_text(found)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Positive, "a finite number larger than 0"),
        (NotNegative, "a finite number of at least 0"),
        (Share, "a number from 0 to 1"),
        (BelowOne | None, "a number from 0 to below 1 or none"),
        (Count, "a whole number of at least 1"),
        (CountFrom0 | Sequence[int], "a whole number of at least 0 or a list"),
        (Annotated[float, Gt(0), Le(1)], "a number larger than 0 and at most 1"),
        (Annotated[float, Gt(0), Lt(2)], "a number larger than 0 and below 2"),
        (Annotated[int, Le(7)], "a whole number of at most 7"),
        (Annotated[float, Lt(7)], "a number below 7"),
        (Annotated[float, "mm"], "a number"),
        (Literal["mean", "std"], "mean or std"),
        (str | Mapping[str, str] | None, "text or a mapping or none"),
        (bool, "true or false"),
        (Callable[[int], int], ""),
    ],
)
def test_an_annotation_in_words(annotation: Any, words: str) -> None:
    assert in_words(annotation) == words


@pytest.mark.parametrize(
    ("annotation", "value", "fits"),
    [
        (float, 1, True),
        (int, 1.0, False),
        (int, True, False),
        (Share | None, None, True),
        (Share | None, 2, False),
        (Annotated[float | None, Gt(0)], None, True),  # as somebody else may write it
        (Annotated[float | None, Gt(0)], 0, False),
        (Sequence[int], (1, 2), True),
        (Sequence[int], "12", False),
        (Count | Sequence[int], [0], True),  # what a list holds is for the choice to say
        (Literal["mean"], "std", False),
        (Callable[[int], int], "anything", True),
        (Count | Callable[[int], int], 0, True),
    ],
)
def test_what_fits_an_annotation(annotation: Any, value: Any, fits: bool) -> None:
    if fits:
        check_kind("choice", "option", value, annotation)
    else:
        with pytest.raises(SpecError, match=r"^choice: expected .+ for option, found "):
            check_kind("choice", "option", value, annotation)
