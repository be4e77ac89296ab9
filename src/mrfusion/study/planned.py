"""What a study's file leaves to planning: the word ``auto``, and plans of nnU-Net's that a user already has."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

from pydantic import Field

from mrfusion.errors import SpecError
from mrfusion.part import Part, merge
from mrfusion.planning.plans_file import plans_named
from mrfusion.spec import RunSpec

WORD = "auto"
GROUPS = {
    "sampling": ("sampling.dimensions", "sampling.size", "budget.batch_size"),
    "data.preparation": tuple(f"data.preparation.{key}" for key in ("spacing_mm", "interpolation", "intensities")),
}
KEYS = ("network", *GROUPS["sampling"], *GROUPS["data.preparation"], "budget.epochs")
# an arm's name (empty: the base), its specification, the keys to plan -> each key with its value and the reason
Ask = Callable[[str, RunSpec, tuple[str, ...]], Sequence[Mapping[str, Any]]]


class Planning(Part):
    """What the word auto plans for, wherever a key has it as its value."""

    like: Literal["residual", "nnunet", "resenc-m", "resenc-l"] = Field(
        "residual", description="whose levels and blocks a planned network has: ours, or those of nnU-Net's planners"
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="GPU memory that a training may take; default: 8, or 24 for resenc-l, as nnU-Net's, and 0.25 for "
        "residual without a GPU",
    )
    minutes: float | None = Field(
        None, gt=0, le=10**7, description="minutes that one training has, for budget.epochs: auto"
    )


def divided(
    content: Mapping[str, Any], beside: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keys and values without those that are ``auto``, and the keys that are to be planned, in their order.

    ``sampling: auto`` plans the batch too, unless its size is given, here or in ``beside``, what stands beside an arm.
    Where the network is ``nnunet(plans=..)``, what nnU-Net's file says stands for all that is auto or not given.
    """
    rest, keys = deepcopy(dict(content)), set[str]()
    for place, members in (*GROUPS.items(), *((key, (key,)) for key in KEYS)):
        if _get(rest, place) == WORD:
            _drop(rest, place)
            keys |= set(members)
    given = [side for side in (rest, beside or {}) if _get(side, "budget.batch_size") is not None]
    if given and _get(content, "budget.batch_size") != WORD:
        keys.discard("budget.batch_size")
    plans = plans_named(str(rest.get("network", "")))
    if plans is None:
        return rest, tuple(key for key in KEYS if key in keys)
    values = plans.values()
    if beside is not None:
        values["data"].pop("split", None)  # the arms of a study have the same folds
    del rest["network"]
    return merge(values, rest), tuple(key for key in KEYS if key in keys and _get(values, key) is None)


def ungiven(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that can be planned from the data alone and that a file says nothing of."""
    return tuple(key for key in KEYS if key != "budget.epochs" and _get(content, key) is None)


def check(planning: Planning, keys: Iterable[str], place: str) -> None:
    """SpecError where the epochs are to be planned and no minutes are given for them."""
    if "budget.epochs" in keys and planning.minutes is None:
        raise SpecError(f"{place}: budget.epochs: auto needs the time; write planning: {{minutes: 10}} beside it")


def _get(content: Any, place: str) -> Any:
    for name in place.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def _drop(content: dict[str, Any], place: str) -> None:
    *above, last = place.split(".")
    for name in above:
        content = content[name]
    del content[last]
