"""What is in a data set and what is wrong with it, case by case, each fault with its remedy."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort
from mrfusion.data.label_map import region_masks
from mrfusion.data.nifti.header import check_plausible, read_header
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.nifti.voxels import read_channels
from mrfusion.data.prepare import slice_axis
from mrfusion.data.prepared import resampler
from mrfusion.data.registration import misplaced
from mrfusion.data.volume import Target, Volume, read_volume
from mrfusion.errors import CaseError
from mrfusion.files import visible
from mrfusion.layouts._base import DOORS, near_files
from mrfusion.planning.fingerprint import CaseFacts, facts_of
from mrfusion.progress import Progress
from mrfusion.run_folder.slice_view import grey, upright

SHOWN = 6  # cases in a montage
LABEL_WORDS = ("mask", "seg", "label", "lesion")  # what files of labels are called, for an offer


@dataclass(frozen=True)
class Found:
    """One case as it was found; ``faults`` keep it from being used, ``notes`` do not.

    ``label_voxels`` and ``label_ml`` are by region's name; ``shape`` and ``spacing_mm`` in RAS+ order, empty if the
    case could not be read.
    """

    case: str
    patient: str
    label: str | None
    modalities: tuple[str, ...]
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    label_voxels: Mapping[str, int] = field(default_factory=dict)
    label_ml: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    facts: CaseFacts | None = None


@dataclass(frozen=True, eq=False)
class View:
    """One slice of a case, rows from the top: grey images by modality, masks by region; a pixel's height and width."""

    case: str
    images: Mapping[str, NDArray[np.uint8]]
    masks: Mapping[str, NDArray[np.bool_]]
    pixel_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Inspection:
    """The whole data set: what it has, each case, and a few views for a montage."""

    modalities: tuple[str, ...]
    regions: tuple[str, ...]
    classes: Mapping[str, int]
    cases: tuple[Found, ...]
    views: tuple[View, ...]

    @property
    def faulty(self) -> tuple[Found, ...]:
        return tuple(found for found in self.cases if found.faults)

    @property
    def patients(self) -> int:
        return len({found.patient for found in self.cases})

    def grids(self) -> dict[str, int]:
        """Shape and spacing in words -> number of cases, the most frequent first."""
        words = Counter(_grid(found) for found in self.cases if found.shape)
        return dict(words.most_common())

    def as_json(self) -> dict[str, Any]:
        """Everything but the views."""
        return {
            "modalities": self.modalities,
            "regions": self.regions,
            "classes": self.classes,
            "patients": self.patients,
            "grids": self.grids(),
            "cases": [asdict(replace(found, facts=None)) for found in self.cases],
        }

    @property
    def facts(self) -> tuple[CaseFacts, ...]:
        """What planning goes by, of the cases that could be read."""
        return tuple(found.facts for found in self.cases if found.facts is not None)


def inspect_cohort(
    cohort: Cohort,
    *,
    resample_to: str | None = None,
    incomplete: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """Look at every case of a cohort, one in memory at a time; where ``incomplete`` cases are wanted, a modality
    that one lacks is no fault."""
    shown = {int(i) for i in np.linspace(0, len(cohort.cases) - 1, min(SHOWN, len(cohort.cases)))}
    onto = Target(resample_to, resampler()) if resample_to else None
    cases: list[Found] = []
    views: list[View] = []
    for number, case in enumerate(cohort.cases):
        found, volume = _look(case, cohort, onto)
        found = _allowed(found, cohort) if incomplete else found
        cases.append(_same_as_before(found, cases))
        if volume and number in shown:
            views.append(_view(case, volume, cohort))
        if progress:
            progress(number + 1, len(cohort.cases), case.id)
    classes = dict(Counter(case.label for case in cohort.cases if case.label))
    regions = tuple(region.name for region in cohort.regions)
    return Inspection(cohort.modalities, regions, classes, tuple(cases), tuple(views))


def _allowed(found: Found, cohort: Cohort) -> Found:
    """The same, what it says of modalities that are absent as a note."""
    missing = [name for name in cohort.modalities if name not in found.modalities]
    faults = tuple(fault for fault in found.faults if not fault.startswith(tuple(map(_absent, missing))))
    return replace(
        found, faults=faults, notes=(*(f"{name} is absent, as may_lack allows" for name in missing), *found.notes)
    )


def _absent(modality: str) -> str:
    return f"{modality} is absent; add its file, drop the case, or allow it with {DOORS['images']}"


def _near(case: Case, words: Sequence[str]) -> str:
    """Files beside those of the case that are nearly called one of the words, as an offer; else empty."""
    used = {path.name for path in case.files}
    folders = sorted({path.parent for path in case.files if path.parent.name == case.id})
    names = [path.name for folder in folders for path in visible(folder) if path.name not in used]
    return next((offer for word in words if (offer := near_files(word, names))), "")


def _look(case: Case, cohort: Cohort, onto: Target | None) -> tuple[Found, Volume | None]:
    missing = [name for name in cohort.modalities if name not in case.images]
    faults = [_absent(name) + _near(case, (name,)) for name in missing]
    if cohort.regions and case.label_map is None:
        faults.append("lacks its label map; add it, or drop the case from training" + _near(case, LABEL_WORDS))
    if cohort.classes and case.label is None:
        faults.append("lacks its class; fill it in, or drop the case from training")
    found = Found(case.id, case.patient, case.label, tuple(n for n in cohort.modalities if n in case.images))
    try:
        volume = read_volume(case, cohort.modalities, cohort.label_values, onto=onto)
    except CaseError as error:
        return replace(found, faults=(*faults, *(_each_file(case) or [str(error)]))), None
    faults += _registered(case)
    measured = replace(_measured(found, volume, cohort), facts=facts_of(case, volume, cohort))
    return replace(measured, faults=tuple(faults)), volume


def _registered(case: Case) -> list[str]:
    """Whether the masks of the modalities, where there are several, lie over each other."""
    try:
        return misplaced(case)
    except CaseError as error:
        return [str(error)]


def _each_file(case: Case) -> list[str]:
    """What is wrong with each file by itself; whether they are too small for what they announce is judged together."""
    faults: list[str] = []
    readers: list[tuple[Path, Callable[[], object]]] = [
        (path, partial(read_channels, path, [case.channels[name]] if name in case.channels else None))
        for name, path in case.images.items()
    ]
    readers += [(case.label_map, partial(read_labels, case.label_map))] if case.label_map else []
    headers = {}
    for path, _ in readers:
        try:
            headers[path] = read_header(path, many=bool(case.channels))
        except CaseError as error:
            faults.append(str(error))
    try:
        check_plausible(headers.values())
    except CaseError as error:
        return list(dict.fromkeys((*faults, str(error))))
    for path, read in readers:
        try:
            if path in headers:
                read()
        except CaseError as error:
            faults.append(str(error))
    return list(dict.fromkeys(faults))


def _measured(found: Found, volume: Volume, cohort: Cohort) -> Found:
    flat = {name: _flat(image) for name, image in zip(volume.modalities, volume.images_MXYZ, strict=True)}
    voxels: dict[str, int] = {}
    if volume.labels_XYZ is not None and cohort.regions:
        counts = np.bincount(volume.labels_XYZ.ravel(), minlength=len(cohort.label_values) + 1)[1:]
        by_value = dict(zip(cohort.label_values, counts, strict=True))
        voxels = {r.name: int(sum(by_value[value] for value in r.labels)) for r in cohort.regions}
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000
    return replace(
        found,
        shape=volume.grid.shape,
        spacing_mm=tuple(round(s, 4) for s in volume.spacing_mm),
        label_voxels=voxels,
        label_ml={name: round(count * voxel_ml, 3) for name, count in voxels.items()},
        notes=(*volume.notes, *(f"{name}: {note}" for name, note in flat.items() if note)),
        content={
            name: hashlib.blake2b(image.tobytes(), digest_size=10).hexdigest()
            for name, image in zip(volume.modalities, volume.images_MXYZ, strict=True)
            if not flat[name]
        },
    )


def _flat(image: NDArray[np.float32]) -> str:
    low, high = float(image.min()), float(image.max())
    if low == high == 0:
        return "every voxel is 0"
    inside = image[image != 0]
    return (
        f"every voxel that is not 0 is {inside[0]:g}; it will be 0 throughout" if inside.min() == inside.max() else ""
    )


def _same_as_before(found: Found, before: list[Found]) -> Found:
    others = [other for other in before if other.patient != found.patient]
    same = [(one, name) for name, digest in found.content.items() for one in others if one.content.get(name) == digest]
    if not same:
        return found
    twin, modality = same[0]
    fault = (
        f"its {modality} is voxel for voxel that of case {twin.case}, of another patient; one examination "
        "under two names would stand on both sides of a split: drop one, or give both the same patient"
    )
    return replace(found, faults=(*found.faults, fault))


def _view(case: Case, volume: Volume, cohort: Cohort) -> View:
    axis = slice_axis(volume.grid)
    first, second = (a for a in range(3) if a != axis)
    labels = np.zeros(volume.grid.shape, np.uint8) if volume.labels_XYZ is None else volume.labels_XYZ
    labelled = np.count_nonzero(labels, axis=(first, second))
    index = int(labelled.argmax()) if labelled.any() else volume.grid.shape[axis] // 2
    images = np.stack([grey(upright(np.take(image, index, axis))) for image in volume.images_MXYZ])
    masks = region_masks(upright(np.take(labels, index, axis)), cohort.regions, cohort.label_values)
    rows, columns = _seen(images)
    return View(
        case.id,
        dict(zip(volume.modalities, images[:, rows, columns], strict=True)),
        dict(zip((region.name for region in cohort.regions), masks[:, rows, columns], strict=True)),
        (volume.spacing_mm[second], volume.spacing_mm[first]),
    )


def _seen(images_MHW: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns that are not black in every image."""
    there = np.asarray(images_MHW.max(axis=0)) > 0
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not rows.size:
        return slice(None), slice(None)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _grid(found: Found) -> str:
    shape = " x ".join(map(str, found.shape))
    return f"{shape} at {' x '.join(f'{s:.3g}' for s in found.spacing_mm)} mm"
