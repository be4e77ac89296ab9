"""What an evaluation is asked: rules, regions, metrics, and what the values in the files mean."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mrfusion.case import Region
from mrfusion.errors import Note, SpecError, nearest
from mrfusion.families import names, parse
from mrfusion.rules import PLAIN, WT_TC_ET, Rule, rule_named
from mrfusion.scoring.masks import reader

CONVENTIONS: Mapping[str, Mapping[int, int]] = {
    "brats2021": {1: 1, 2: 2, 4: 3},  # 2012-2021: enhancing tumour is 4
    "brats2023": {1: 1, 2: 2, 3: 3},
}
VARIANTS = ("surfel", "voxel", "pooled")
MASK = (Region("mask", frozenset({1})),)
LITERAL = "lesion_hd95_literal"
OF_2026 = "instance_"  # what these metrics' names begin with


@dataclass(frozen=True)
class Question:
    """What is asked of every case.

    ``values`` maps each value that may stand in a file to the value that ``regions`` mean; 0 is always background,
    and a value mapped to 0 counts as such. Any other value is refused.
    """

    rule: Rule = PLAIN
    regions: tuple[Region, ...] = MASK
    metrics: tuple[str, ...] = ("dice",)
    values: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({1: 1}))

    def stored(self, region: Region) -> Region:
        """The region with the values that stand in the files."""
        return Region(region.name, frozenset(value for value, meant in self.values.items() if meant in region.labels))


def question(
    rules: str = "plain",
    *,
    regions: str | None = None,
    metrics: str | None = None,
    values: str | None = None,
    variant: str = "surfel",
) -> Question:
    """The question as a command line asks it.

    ``rules``    a preset: plain, paper, brats2023-GLI, ...
    ``regions``  ``WT=1+2+3,TC=1+3,ET=3``; default: those of the rules, of the convention, or ``mask=1``
    ``metrics``  ``dice,nsd(tolerance_mm=2)``; default: those of the rules, or all that no challenge has for itself
    ``values``   what stands in the files: a convention (brats2021, brats2023) or ``1=1,2=2,4=3,9=0``; default: the
                 values of the regions stand for themselves
    ``variant``  the definition of hd95, where no metric is named: surfel, voxel or pooled

    Raises SpecError that names what cannot be used.
    """
    rule = rule_named(rules)
    usual = WT_TC_ET if values in CONVENTIONS else MASK
    wanted = _regions(regions) if regions else rule.regions or usual
    asked = tuple(_listed(metrics)) if metrics else _all_metrics(rule, variant)
    for text in asked:
        reader(text)
    explained = values_named(values, wanted)
    _check_regions(explained, wanted, chosen=bool(regions or rule.regions))
    return Question(rule, wanted, asked, explained)


def few_metrics(rules: str) -> str:
    """The metrics that a comparison asks for where the user names none: those that the rules' challenge ranks by."""
    rule = rule_named(rules)
    if rule.metrics:
        return ",".join(rule.metrics)
    lesions = "lesion_dice,lesion_hd95," if rule.penalty_mm else ""
    return f"dice,hd95,{lesions}target_volume_mm3"


def _all_metrics(rule: Rule, variant: str) -> tuple[str, ...]:
    if variant not in VARIANTS:
        raise SpecError(f"no variant of hd95 is called {variant!r}; {nearest(variant, VARIANTS)}")
    if rule.metrics:
        return rule.metrics
    hd95 = "hd95" if variant == "surfel" else f"hd95(variant={variant})"
    every = [name for name in names("metrics") if not name.startswith(OF_2026)]
    every = [name for name in every if name != LITERAL or rule.name == "paper"]
    return tuple(hd95 if name == "hd95" else name for name in every)


def _regions(text: str) -> tuple[Region, ...]:
    found: dict[str, Region] = {}
    for part in text.split(","):
        name, equals, labels = (piece.strip() for piece in part.partition("="))
        numbers = labels.split("+")
        if not (name and equals and all(n.strip().isdigit() for n in numbers)) or name in found:
            raise SpecError(f"regions: expected different names as in 'WT=1+2+3,TC=1+3,ET=3', found {text!r}")
        found[name] = Region(name, frozenset(int(n) for n in numbers))
    return tuple(found.values())


def values_named(text: str | None, regions: tuple[Region, ...] = ()) -> Mapping[int, int]:
    """What each value in a file means; without a text, the values of the regions stand for themselves."""
    if text is None:
        return {value: value for region in regions for value in region.labels}
    if text in CONVENTIONS:
        return CONVENTIONS[text]
    pairs = [part.split("=") for part in text.split(",")]
    if not all(len(pair) == 2 and all(n.strip().isdigit() for n in pair) for pair in pairs):
        raise SpecError(
            f"values: expected 'file=meaning' as in '1=1,2=2,4=3', or a convention: {nearest(text, CONVENTIONS)}"
        )
    return {int(stored): int(meant) for stored, meant in pairs}


def _check_regions(values: Mapping[int, int], regions: tuple[Region, ...], *, chosen: bool) -> None:
    """Values that are in no region would count as background: a note where the regions were chosen, else SpecError."""
    inside = {value for region in regions for value in region.labels}
    lost = sorted(stored for stored, meant in values.items() if meant and meant not in inside)
    if not lost:
        return
    named = ", ".join(f"{region.name}={'+'.join(map(str, sorted(region.labels)))}" for region in regions)
    said = f"values: {', '.join(map(str, lost))} in the files would be in no region ({named})"
    if not chosen:
        every = "+".join(str(value) for value in sorted({value for value in values.values() if value}))
        raise SpecError(
            f"{said} and count as background; name the regions, as in --regions 'whole={every}', or say with 0 what is "
            f"background, as in '{lost[0]}=0'"
        )
    warnings.warn(f"{said}; they count as background", Note, stacklevel=4)


def _listed(text: str) -> list[str]:
    """Split at the commas outside of parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [str(parse(part)) for part in parts]
