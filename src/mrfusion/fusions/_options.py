"""The options of an energy, checked where they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mrfusion.errors import SpecError, nearest
from mrfusion.families import check_kind


@dataclass(frozen=True)
class Options:
    """``energy(steps=3,width=64,rho=1.0,...)``; what each means is said in the fusion's docstring."""

    steps: float = 3
    width: int = 64
    rho: float = 1.0
    dependency: bool = True
    hierarchy: bool = True
    prior: bool = True
    kind: str = "quadratic"
    prototypes: int = 8
    exchange: bool = False

    def __post_init__(self) -> None:
        if self.steps != float("inf") and (self.steps < 0 or self.steps != int(self.steps)):
            raise SpecError(f"energy: steps must be a whole number from 0 on, or inf, found {self.steps}")
        if not 0 < self.rho < 2:
            raise SpecError(
                f"energy: rho must lie between 0 and 2, where every step lowers the energy, found {self.rho}"
            )
        if min(self.width, self.prototypes) < 1:
            raise SpecError(
                f"energy: width and prototypes must be at least 1, found {self.width} and {self.prototypes}"
            )
        if self.kind not in ("quadratic", "hopfield"):
            raise SpecError(f"energy: kind must be quadratic or hopfield, found {self.kind!r}")
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
