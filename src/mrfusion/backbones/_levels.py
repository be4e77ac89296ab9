"""Lists that say level by level what a network is made of: features, strides, kernels and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from mrfusion.backbones._base import Steps, check_between
from mrfusion.errors import SpecError

PerAxis = int | Sequence[int]
MOST_FEATURES = 1024
MOST_STAGES = 8
MOST_LEVELS, MOST_BLOCKS, LARGEST_KERNEL = MOST_STAGES + 1, 16, 7
WIDEST = MOST_FEATURES * 2**MOST_STAGES  # what doubling from the largest base can come to
Base = Annotated[int, Ge(1), Le(MOST_FEATURES)] | Sequence[int]
Stages = Annotated[int, Ge(1), Le(MOST_STAGES)]


@dataclass(frozen=True)
class Levels:
    """One entry a level, finest first; strides and kernels along each axis."""

    features: tuple[int, ...]
    strides: tuple[Steps, ...]
    kernels: tuple[Steps, ...]
    blocks: tuple[int, ...]


def read_levels(
    dimensions: int,
    features: Sequence[int],
    *,
    strides: Sequence[PerAxis] | None,
    kernels: PerAxis | Sequence[PerAxis],
    blocks: int | Sequence[int],
) -> Levels:
    """The lists of a backbone's text, checked and written out.

    ``features`` has one number a level. ``strides`` and ``kernels`` have one number a level, or a number for each axis;
    without strides every level but the first halves every axis. A single number of kernels or blocks stands for all
    levels. SpecError where a list does not fit.
    """
    if not isinstance(features, tuple | list) or not 1 <= len(features) <= MOST_LEVELS:
        raise SpecError(f"network: features: expected a list of 1 to {MOST_LEVELS} numbers, found {features!r}")
    count = len(features)
    each = tuple(check_between("features", n, 1, WIDEST) for n in features)
    given = (1, *[2] * (count - 1)) if strides is None else strides
    steps = tuple(_axes("strides", step, dimensions, 2) for step in _listed("strides", given, count))
    if any(step != 1 for step in steps[0]):
        raise SpecError(
            f"network: strides: expected 1 for the first level, which has the grid of the images, found {given}"
        )
    cores = tuple(_axes("kernels", core, dimensions, LARGEST_KERNEL) for core in _listed("kernels", kernels, count))
    if any(extent % 2 == 0 for core in cores for extent in core):
        raise SpecError(f"network: kernels: expected odd numbers, found {kernels}")
    return Levels(each, steps, cores, numbers("blocks", blocks, count))


def widths(base: int | Sequence[int], *, stages: int, widest: int) -> tuple[int, ...]:
    """The channels of ``stages`` + 1 levels, doubled from ``base`` up to ``widest``; or ``base`` itself, if a list."""
    if isinstance(base, tuple | list):
        return tuple(base)
    return tuple(min(base * 2**level, widest) for level in range(stages + 1))


def numbers(name: str, given: int | Sequence[int], count: int) -> tuple[int, ...]:
    """One number a level; a single one stands for all of them."""
    return tuple(check_between(name, n, 1, MOST_BLOCKS) for n in _listed(name, given, count))


def _listed(name: str, given: object, count: int) -> list[object]:
    each = list(given) if isinstance(given, tuple | list) else [given] * count
    if len(each) != count:
        raise SpecError(f"network: {name}: expected {count} entries, one for each level, found {len(each)}")
    return each


def _axes(name: str, given: object, dimensions: int, most: int) -> Steps:
    each = tuple(given) if isinstance(given, tuple | list) else (given,) * dimensions
    if len(each) != dimensions:
        raise SpecError(f"network: {name}: expected a number, or one for each of {dimensions} axes, found {given!r}")
    return tuple(check_between(name, n, 1, most) for n in each)
