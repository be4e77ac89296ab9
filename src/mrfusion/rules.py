"""Named rules of evaluation: what is one lesion, which lesions count, what a miss costs.

The presets ``brats2023-*`` are those of the 2023 challenges: target lesions whose dilations touch are one lesion,
a predicted component matches every lesion whose dilation it touches, small target lesions leave the list, predicted
specks never do. ``brats2026-*`` count as the challenge's package of 2026 does: components are matched one to one.
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
    ``needs_overlap``   the same distance is charged where two surfaces exist, but the masks have no voxel in common
    ``regions``         regions that the rule's challenge scores; empty: the user says which
    ``metrics``         what its challenge reports; empty: every metric that no challenge has for itself
    """

    name: str
    dilation: int = 0
    smallest_mm3: float = 0.0
    penalty_mm: float | None = None
    needs_overlap: bool = False
    regions: tuple[Region, ...] = ()
    metrics: tuple[str, ...] = ()


def _brats(challenge: str, dilation: int, smallest_mm3: float) -> Rule:
    return Rule(f"brats2023-{challenge}", dilation, smallest_mm3, penalty_mm=374.0, regions=WT_TC_ET)


GLOBAL = ("dice", "nsd(tolerance_mm=0.5,variant=voxel)", "hd95(variant=pooled)")
COUNTS = tuple(f"instance_{what}" for what in ("tp", "fp", "fn", "precision", "recall", "f1"))
FOUND = tuple(f"instance_{what}{text}" for what in ("dice", "nsd", "hd95") for text in ("", "(statistic=std)"))
BY_SIZE = (
    *(f"{count}(size={size})" for size in ("large", "small") for count in COUNTS),
    *(f"instance_{what}(over=large{text})" for what in ("dice", "hd95", "nsd") for text in ("", ",statistic=std")),
)


def _of_2026(challenge: str, regions: dict[str, set[int]], *more: str) -> Rule:
    named = tuple(Region(name, frozenset(labels)) for name, labels in regions.items())
    metrics = (*GLOBAL, *COUNTS, *FOUND, *more, "target_volume_mm3")
    return Rule(f"brats2026-{challenge}", penalty_mm=373.0, needs_overlap=True, regions=named, metrics=metrics)


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
        _of_2026("GLI", {"SNFH": {2}, "ET": {3}, "NETC": {1}, "RC": {4}, "TC": {1, 3}, "WT": {1, 2, 3}}),
        _of_2026("METS", {"ET": {3}, "RC": {4}, "TC": {1, 3}, "WT": {1, 2, 3}}, *BY_SIZE),
        _of_2026("PED", {"ET": {1}, "NETC": {2}, "CC": {3}, "ED": {4}, "TC": {1, 2, 3}, "WT": {1, 2, 3, 4}}),
        _of_2026("MenRT", {"GTV": {1}}),
        _of_2026("MenPre", {"ET": {3}, "TC": {1, 3}, "WT": {1, 2, 3}}),
        _of_2026("GoAT", {"ET": {3}, "TC": {1, 3}, "WT": {1, 2, 3}}),
    )
}


def rule_named(name: str) -> Rule:
    """The preset with this name; SpecError with the nearest ones otherwise."""
    if name not in RULES:
        raise SpecError(f"no rules are called {name!r}; {nearest(name, RULES)}")
    return RULES[name]
