"""Named rules of evaluation: what is one lesion, which lesions count, what a miss costs.

The BraTS presets are those of the 2023 challenges: target lesions whose dilations touch are one lesion,
a predicted component matches every lesion whose dilation it touches, small target lesions leave the list, predicted
specks never do.
"""

from dataclasses import dataclass

from mrfusion.case import Region
from mrfusion.errors import SpecError, nearest

WT_TC_ET = (
    Region("WT", frozenset({1, 2, 3})),
    Region("TC", frozenset({1, 3})),
    Region("ET", frozenset({3})),
)


@dataclass(frozen=True)
class Rule:
    """One way to count lesions and to charge for a missing surface.

    ``dilation``        iterations of the 18-neighbourhood (in 2-D: 8) by which target lesions grow before they are
                        merged and matched; 0: a predicted component matches where one of its voxels overlaps
    ``smallest_mm3``    target lesions of at most this volume leave the list (as hits and as misses)
    ``penalty_mm``      distance charged where no surface exists; None: the diagonal of the image
    ``regions``         regions that the rule's challenge scores; empty: the user says which
    """

    name: str
    dilation: int = 0
    smallest_mm3: float = 0.0
    penalty_mm: float | None = None
    regions: tuple[Region, ...] = ()


def _brats(challenge: str, dilation: int, smallest_mm3: float) -> Rule:
    return Rule(f"brats2023-{challenge}", dilation, smallest_mm3, penalty_mm=374.0, regions=WT_TC_ET)


PLAIN = Rule("plain")

RULES = {
    rule.name: rule
    for rule in (
        PLAIN,
        Rule("paper", regions=WT_TC_ET),  # Li, Zhao, Zhang: found when one predicted voxel overlaps; no threshold
        _brats("GLI", 3, 50.0),
        _brats("MEN", 1, 50.0),
        _brats("MET", 1, 2.0),
        _brats("PED", 3, 50.0),
        _brats("SSA", 3, 50.0),
    )
}


def rule_named(name: str) -> Rule:
    """The preset with this name; SpecError with the nearest ones otherwise."""
    if name not in RULES:
        raise SpecError(f"no rules are called {name!r}; {nearest(name, RULES)}")
    return RULES[name]
