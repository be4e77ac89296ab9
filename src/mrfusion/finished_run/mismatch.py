"""Which modality of a case does not belong: how much it raises the energy, against what is usual for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from mrfusion.run_folder.quantity import Quantity

Key = tuple[int, str]
LEAST = 1e-9  # the least standard deviation, so that what never varies can be divided by


@dataclass(frozen=True)
class Usual:
    """Mean and standard deviation of each modality's pull at each level, over cases that are thought to be right."""

    mean: Mapping[Key, float]
    deviation: Mapping[Key, float]


def pulls(rows: Iterable[tuple[Quantity, float]]) -> dict[Key, float]:
    """By level and modality, how much higher E is with the modality than without it.

    ``rows`` are the quantities of one case, as a run records them of its test cases.
    """
    table = dict(rows)
    return {
        (quantity.level, quantity.name): table[Quantity("energy", level=quantity.level)] - value
        for quantity, value in table.items()
        if quantity.kind == "without" and quantity.level is not None
    }


def usual(cases: Sequence[Mapping[Key, float]]) -> Usual:
    """What is usual for the pulls of several cases; two at least, and more are better."""
    keys = sorted({key for case in cases for key in case})
    each = {key: [case[key] for case in cases if key in case] for key in keys}
    return Usual({k: fmean(v) for k, v in each.items()}, {k: max(pstdev(v), LEAST) for k, v in each.items()})


def suspicion(case: Mapping[Key, float], by: Usual) -> dict[str, float]:
    """For each modality the standard deviations that its pull lies above the usual, at the level where it is most.

    The largest of a case's says how suspicious it is. A case without any modality that ``by`` knows has none.
    """
    found: dict[str, float] = {}
    for (level, modality), value in case.items():
        if (level, modality) in by.mean:
            score = (value - by.mean[level, modality]) / by.deviation[level, modality]
            found[modality] = max(score, found.get(modality, score))
    return found
