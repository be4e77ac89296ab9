"""The values that name data: regions, cases, cohorts and splits. Nothing here reads a voxel."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrfusion.errors import CaseError

LONGEST_NAME = 1000  # letters
MOST_LABELS = 255  # a label map in memory has a byte for each voxel


@dataclass(frozen=True)
class Region:
    """A named set of internal label values; regions of one cohort may overlap (WT contains TC)."""

    name: str
    labels: frozenset[int]


@dataclass(frozen=True)
class Case:
    """One examination on disk, nothing read yet.

    ``images`` maps a modality's name to its file; where a file is four-dimensional and holds several modalities,
    ``channels`` maps each of their names to its place on the fourth axis. ``label_values`` maps every value that may
    stand in the label map's file to the internal value (BraTS 2021: {1: 1, 2: 2, 4: 3}); a value that is not there is
    refused when it is read. ``masks`` are label maps of the same that were drawn on other modalities; they are read
    only to see whether the modalities lie over each other.
    Files are read through :mod:`mrfusion.data.volume`. Names are in Unicode's composed form, whatever form a file
    system or a table has them in, so that one name is one name.
    """

    id: str
    patient: str
    images: Mapping[str, Path]
    label_map: Path | None = None
    label: str | None = None
    label_values: Mapping[int, int] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    masks: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("id", "patient", "label"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, unicodedata.normalize("NFC", given))

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of the case once, images in the order of their names, then the label map."""
        images = tuple(dict.fromkeys(self.images[name] for name in sorted(self.images)))
        return images if self.label_map is None else (*images, self.label_map)


@dataclass(frozen=True)
class Cohort:
    """Cases that may be trained together: the same modalities by name and the same regions or classes."""

    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    regions: tuple[Region, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, Case] = {}
        if len(self.label_values) > MOST_LABELS:
            raise CaseError(
                f"expected at most {MOST_LABELS} different label values in the regions, found "
                f"{len(self.label_values)}; merge some of them, or give fewer regions"
            )
        for name in (*self.modalities, *(region.name for region in self.regions), *self.classes):
            check_text(name, "the name of a modality, region or class")
        for case in self.cases:
            for name in (case.id, case.patient, case.label or ""):
                check_text(name, f"a name of the case in {_place(case)}")
            if case.id in seen:
                raise CaseError(
                    f"two cases are called {case.id!r}: {_place(seen[case.id])} and {_place(case)}; case ids must be "
                    "unique: rename or drop one, or give one of two sources a prefix"
                )
            seen[case.id] = case

    @property
    def categories(self) -> tuple[str, ...]:
        """What patients are told apart by: the classes, or the labels that cases of a segmentation have beside it."""
        return self.classes or tuple(sorted({case.label for case in self.cases if case.label}))

    @property
    def label_values(self) -> tuple[int, ...]:
        """The internal label values of the regions, ascending, without background."""
        return tuple(sorted({value for region in self.regions for value in region.labels}))

    @property
    def fingerprint(self) -> str:
        """A digest of what lies on disk: ids, labels, file names and sizes. Moving the folder does not change it."""
        lines = [f"{self.modalities}|{[(r.name, sorted(r.labels)) for r in self.regions]}|{self.classes}"]
        for case in sorted(self.cases, key=lambda c: c.id):
            files = [(path.name, path.stat().st_size) for path in case.files]
            places = [f"{name}@{case.channels[name]}" if name in case.channels else name for name in case.images]
            lines.append(f"{case.id}|{case.patient}|{case.label}|{sorted(places)}|{files}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @property
    def outline(self) -> dict[str, Any]:
        """What the cases have in common, as JSON: modalities, regions, classes. Read back by :func:`outlined`."""
        # a list, not a mapping: their order is that of a network's channels, and files keep keys sorted
        regions = [[region.name, sorted(region.labels)] for region in self.regions]
        return {"modalities": self.modalities, "regions": regions, "classes": self.classes}

    def case(self, case_id: str) -> Case:
        """The case with this id; CaseError if there is none."""
        for case in self.cases:
            if case.id == case_id:
                return case
        raise CaseError(
            f"expected one of the {len(self.cases)} cases of the cohort, such as {self.cases[0].id!r}, found "
            f"{case_id!r}"
        )


@dataclass(frozen=True)
class Split:
    """Case ids for one fold; no patient stands in two parts."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


def check_text(name: str, where: str) -> None:
    """CaseError unless a name can be shown and written: no control characters, no bytes that are no text."""
    if len(name) > LONGEST_NAME:
        raise CaseError(f"{where} has {len(name)} letters and begins with {name[:40]!a}; expected a name")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise CaseError(f"{where} is {name!a}, with control characters or bytes that are no text; rename it")


def outlined(outline: Mapping[str, Any], cases: Iterable[Case] = ()) -> Cohort:
    """A cohort of other cases with the modalities, regions and classes of an outline."""
    regions = tuple(Region(str(name), frozenset(labels)) for name, labels in outline["regions"])
    return Cohort(tuple(outline["modalities"]), tuple(cases), regions, tuple(outline["classes"]))


def join_cohorts(cohorts: Iterable[Cohort]) -> Cohort:
    """One cohort out of several that agree on modalities (by name), regions and classes; CaseError otherwise."""
    first, *rest = cohorts
    for other in rest:
        for what in ("modalities", "regions", "classes"):
            mine, theirs = getattr(first, what), getattr(other, what)
            if set(mine) != set(theirs):
                raise CaseError(
                    f"sources that are trained together must agree on {what}: {_place(first.cases[0])} has {mine}, "
                    f"{_place(other.cases[0])} has {theirs}; rename them in the source's options"
                )
    cases = tuple(case for cohort in (first, *rest) for case in cohort.cases)
    return Cohort(first.modalities, cases, first.regions, first.classes)


def _place(case: Case) -> str:
    return str(next(iter(case.images.values())).parent) if case.images else case.id
