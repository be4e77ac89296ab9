"""Prepared cases as a training or a prediction reads them, for the modalities of one plan."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mrfusion.case import Case, Cohort
from mrfusion.data.prepared import Prepared
from mrfusion.data.sample import LoadedCase
from mrfusion.errors import CaseError


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """One case on its way through a network: as it is on disk, as it was prepared, and as the run's plan reads it."""

    case: Case
    prepared: Prepared
    loaded: LoadedCase


def open_case(
    case: Case,
    cohort: Cohort,
    prepared: Prepared,
    modalities: Sequence[str],
    slices: tuple[float, float] | None,
    *,
    absent: Collection[str] = (),
) -> OpenedCase:
    """A prepared case, and with it what :func:`load_case` makes of it."""
    return OpenedCase(case, prepared, load_case(case, cohort, prepared, modalities, slices, absent=absent))


def load_cases(
    cohort: Cohort, prepared: Mapping[str, Prepared], modalities: Sequence[str], slices: tuple[float, float] | None
) -> dict[str, LoadedCase]:
    """Every prepared case by id; nothing is opened yet."""
    cases = {case.id: case for case in cohort.cases}
    return {name: load_case(cases[name], cohort, one, modalities, slices) for name, one in prepared.items()}


def load_case(
    case: Case,
    cohort: Cohort,
    prepared: Prepared,
    modalities: Sequence[str],
    slices: tuple[float, float] | None,
    *,
    absent: Collection[str] = (),
) -> LoadedCase:
    """One case; without a label map its labels are all 0, without a class or category its ``class_index`` is -1.

    Of a modality that is absent, in the files or because ``absent`` names it, nothing is read, its box neither.
    CaseError where none of ``modalities`` is left.
    """
    present = [name for name in modalities if name in prepared.modalities and name not in absent]
    if not present:
        raise CaseError(
            f"case {case.id}: expected at least one of the modalities {', '.join(modalities)}, found "
            f"{', '.join(prepared.modalities) or 'none'}; add a file, or drop the case"
        )
    labels = prepared.labels_on_disk(present)
    return LoadedCase(
        case.id,
        prepared.images_on_disk(present),
        np.zeros(prepared.shape(present), np.uint8) if labels is None else labels,
        tuple(name in present for name in modalities),
        cohort.categories.index(case.label) if case.label in cohort.categories else -1,
        slice_range(prepared, present, slices),
        prepared.spacing_mm,
    )


def slice_range(prepared: Prepared, modalities: Sequence[str], shares: tuple[float, float] | None) -> tuple[int, int]:
    """The range of a cropped case's slices that lies in ``shares`` of its whole depth; at least one slice.

    Slices 72 to 81 of 155 are the shares (72/155, 82/155) of any other depth.
    """
    axis = prepared.placement.slice_axis
    depth, offset = prepared.placement.grid.shape[axis], prepared.box(modalities)[axis].start
    extent = prepared.shape(modalities)[0]
    low, high = shares or (0.0, 1.0)
    first = min(max(round(low * depth) - offset, 0), extent - 1)
    return first, min(max(round(high * depth) - offset, first + 1), extent)
