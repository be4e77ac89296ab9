"""What a cohort looks like to a planner: shapes, spacings, intensities inside the foreground, shares of the regions.

As nnU-Net's fingerprint (Isensee et al. 2021): shapes are of the box around every voxel that is not 0 in some modality.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort
from mrfusion.data.prepare import box_of, slice_axis
from mrfusion.data.volume import Target, Volume, read_volume
from mrfusion.progress import Progress

Triple = tuple[float, float, float]
STEPS = 1000  # numbers that stand for all of a case's foreground, each for as many voxels


@dataclass(frozen=True)
class Intensities:
    """Of one modality where there is a label: in its own unit."""

    mean: float
    sd: float
    low: float
    median: float
    high: float
    least: float
    most: float


@dataclass(frozen=True)
class CaseFacts:
    """One case: the box of its images in grid points and its spacing in mm, both in the order (S, H, W).

    ``kept`` is the share of the voxels inside the box; ``label_voxels`` counts each label value. ``foreground`` has for
    each modality the mean, standard deviation, least and most of its voxels that have a label, and ``STEPS`` quantiles;
    of a case without a label map, as of a classification, of its voxels that are not 0.
    """

    case: str
    shape: tuple[int, int, int]
    spacing_mm: Triple
    kept: float
    label_voxels: Mapping[int, int]
    foreground: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Fingerprint:
    """The cases that are planned for, together; shapes and spacings in the order (S, H, W)."""

    shapes: tuple[tuple[int, int, int], ...]
    spacings: tuple[Triple, ...]
    kept: float
    intensities: Mapping[str, Intensities]
    shares: Mapping[str, float]
    out_channels: int

    @property
    def cases(self) -> int:
        """How many there are."""
        return len(self.shapes)


def facts_of(case: Case, volume: Volume, cohort: Cohort) -> CaseFacts:
    """What a case that has been read looks like."""
    axis = slice_axis(volume.grid)
    first, second = (a for a in range(3) if a != axis)
    order = (axis, first, second)
    box = box_of(np.any(volume.images_MXYZ != 0, axis=0))
    sides = [box[a].stop - box[a].start for a in order]
    labels, counts = volume.labels_XYZ, {}
    if labels is not None:
        found = np.bincount(labels.ravel(), minlength=len(cohort.label_values) + 1)[1:]
        counts = {value: int(count) for value, count in zip(cohort.label_values, found, strict=True)}
    inside = [image != 0 if labels is None else labels > 0 for image in volume.images_MXYZ]
    each = zip(volume.modalities, volume.images_MXYZ, inside, strict=True)
    foreground = {name: _summary(image[where]) for name, image, where in each if where.any()}
    spacing = [float(volume.spacing_mm[a]) for a in order]
    kept = float(np.prod(sides) / np.prod(volume.grid.shape))
    shape, apart = (sides[0], sides[1], sides[2]), (spacing[0], spacing[1], spacing[2])
    return CaseFacts(case.id, shape, apart, kept, counts, foreground)


def _summary(values: NDArray[np.float32]) -> tuple[float, ...]:
    exact = values.astype(np.float64)
    quantiles = np.quantile(exact, (np.arange(STEPS) + 0.5) / STEPS)
    return tuple(map(float, (exact.mean(), exact.std(), exact.min(), exact.max(), *quantiles)))


def read_facts(
    cohort: Cohort, *, onto: Target | None = None, workers: int = 1, progress: Progress | None = None
) -> dict[str, CaseFacts]:
    """The facts of every case by id, each read once; CaseError for the first that cannot be read."""

    def one(case: Case) -> CaseFacts:
        read = case if cohort.regions else replace(case, label_map=None)
        return facts_of(case, read_volume(read, cohort.modalities, cohort.label_values, onto=onto), cohort)

    found: dict[str, CaseFacts] = {}
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="facts") as pool:
        for facts in pool.map(one, cohort.cases):
            found[facts.case] = facts
            if progress:
                progress(len(found), len(cohort.cases), f"{facts.case}: measured")
    return found


def fingerprint_of(facts: Collection[CaseFacts], cohort: Cohort) -> Fingerprint:
    """The fingerprint of some cases of a cohort. ``out_channels`` counts background, as nnU-Net does."""
    points = sum(float(np.prod(one.shape)) for one in facts)
    voxels = {r.name: sum(one.label_voxels.get(v, 0) for one in facts for v in r.labels) for r in cohort.regions}
    names = [name for name in cohort.modalities if any(name in one.foreground for one in facts)]
    return Fingerprint(
        tuple(one.shape for one in facts),
        tuple(one.spacing_mm for one in facts),
        float(np.median([one.kept for one in facts])),
        {name: _together([one.foreground[name] for one in facts if name in one.foreground]) for name in names},
        {name: count / points for name, count in voxels.items()},
        len(cohort.classes) if cohort.classes else len(cohort.regions) + 1,
    )


def _together(each: Sequence[tuple[float, ...]]) -> Intensities:
    """Of all cases' foregrounds, each case counting as much as another, as in nnU-Net's fingerprint."""
    means, deviations, least, most = np.array([one[:4] for one in each]).T
    quantiles = np.array([one[4:] for one in each])
    mean = float(means.mean())
    sd = float(np.sqrt((deviations**2 + means**2).mean() - mean**2))
    low, median, high = (float(v) for v in np.quantile(quantiles, (0.005, 0.5, 0.995)))
    return Intensities(mean, sd, low, median, high, float(least.min()), float(most.max()))
