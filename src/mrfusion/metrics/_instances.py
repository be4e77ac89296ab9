"""What the instance metrics share: which lesions are asked about, how many were found, and what stands in a mean.

The rules of 2026, from the description of the challenge's package and its answers: ``all`` lesions are found by the
component that they are matched with, whatever its Dice; ``large`` and ``small`` ones (from 20 mm3 on, and below) where
that Dice is at least 0.1. A false component has no size of its own and stands against large and small lesions alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mrfusion.errors import SpecError, nearest
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

Size = Literal["all", "large", "small"]
Over = Literal["found", "large"]
Statistic = Literal["mean", "std"]
LARGE_MM3 = 20.0
FOUND_DICE = 0.1
NOTHING = "neither mask has a component"


@dataclass(frozen=True)
class Tally:
    """Lesions of one size: how many were found and missed, and the false components."""

    found: int
    missed: int
    false: int


def tally(pair: MaskPair, size: Size) -> Tally | None:
    """The count of one size; None where large or small lesions are asked about and the target has none."""
    checked("size", size, ("all", "large", "small"))
    instances = pair.instances
    if size == "all":
        return Tally(len(instances.lesion), instances.missed, instances.false)
    asked = _large(pair, instances.voxels) == (size == "large")
    if not asked.any():
        return None
    found = int((asked.take(instances.lesion - 1) & (instances.dice >= FOUND_DICE)).sum())
    return Tally(found, int(asked.sum()) - found, instances.false)


def share(part: int, whole: int, size: Size, why: str) -> Value:
    """part / whole; where there is no whole, 0 for large and small lesions and no value for all, as in the package."""
    if whole:
        return Value(part / whole)
    return Value.undefined(why) if size == "all" else Value(0.0)


def no_lesion(size: Size) -> Value:
    """The answer where the target has no lesion of the size."""
    return Value.undefined(f"the target has no {size} lesion")


def averaged(
    pair: MaskPair, each: NDArray[np.float64], over: Over, statistic: Statistic, *, charge: float, worst: float
) -> Value:
    """The mean or the standard deviation (of all, not of a sample) of a number that each matched pair has.

    ``over`` the found lesions alone, or the large ones and the false components, where a lesion that was missed and
    a component without a lesion stand with ``charge``. A large lesion matched below a Dice of 0.1 counts as missed and
    stands in the mean with its own number, as in the package. ``worst`` is the mean where nothing was found.
    """
    checked("over", over, ("found", "large"))
    checked("statistic", statistic, ("mean", "std"))
    reason = ""
    if over == "large":
        count = tally(pair, "large")
        if count is None:
            return no_lesion("large")
        instances = pair.instances
        each = each[_large(pair, instances.sizes)]
        each = np.concatenate([each, np.full(count.found + count.missed - len(each) + count.false, charge)])
        reason = f"{count.missed} missed and {count.false} false lesions" if count.missed + count.false else ""
    elif not len(each):
        if not pair.predicted and not pair.targeted:
            return Value.undefined(NOTHING)
        none = "no lesion was found"
        return Value(worst, "penalised", none) if statistic == "mean" else Value.undefined(none)
    value = float(each.mean() if statistic == "mean" else each.std())
    return Value(value, "penalised", reason) if reason else Value(value)


def checked(name: str, value: str, known: Sequence[str]) -> None:
    """SpecError where an argument is none of the known words."""
    if value not in known:
        raise SpecError(f"no {name} is called {value!r}; {nearest(str(value), known)}")


def _large(pair: MaskPair, voxels: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(voxels * pair.voxel_mm3 >= LARGE_MM3)
