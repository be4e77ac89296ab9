"""The options of an energy, checked where they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from annotated_types import Gt, Lt

from mrfusion.errors import SpecError, nearest
from mrfusion.kinds import Count, check_kind

MOST_STEPS = 1000  # a run walks them at every level of every batch; inf is the end of them all


@dataclass(frozen=True)
class Options:
    """``energy(steps=3,width=64,rho=1.0,...)``; what each means is said in the fusion's docstring."""

    steps: float = 3
    width: Count = 64
    rho: Annotated[float, Gt(0), Lt(2)] = 1.0
    dependency: bool = True
    hierarchy: bool = True
    prior: bool = True
    kind: Literal["quadratic", "hopfield"] = "quadratic"
    prototypes: Count = 8
    exchange: bool = False

    def __post_init__(self) -> None:
        if self.steps != float("inf") and (not 0 <= self.steps <= MOST_STEPS or self.steps != int(self.steps)):
            raise SpecError(f"energy: steps must be a whole number from 0 to {MOST_STEPS}, or inf, found {self.steps}")
        if self.kind == "hopfield" and self.steps == float("inf"):
            raise SpecError(
                "energy: expected a number of steps for kind=hopfield, which has no closed form, found inf; "
                "write steps=3"
            )


def read_options(given: Mapping[str, Any]) -> Options:
    """The options by name; SpecError with the nearest for one that does not exist."""
    known = {field.name: field.type for field in fields(Options)}
    for name, value in given.items():
        if name not in known:
            raise SpecError(f"fusions choice 'energy' takes no argument {name!r}; {nearest(name, known)}")
        check_kind("fusions choice 'energy'", name, value, known[name])
    return Options(**given)
