"""nnU-Net's raw data: a file for each modality of each case, label maps with whole numbers from 1, the same splits.

Files that lie as nnU-Net wants them (three dimensions, .nii.gz, one grid in one order of axes) are copied byte by byte;
the others, and what is resampled, are written anew in RAS+ order. Label values become 1, 2, ... in the order of the
cohort's; values that no region tells apart become one label, as where the only region holds several of them.
"""

import json
import math
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.data.absence import are_absent
from mrfusion.data.doubts import in_no_case
from mrfusion.data.label_map import write_label_map
from mrfusion.data.nifti.header import read_header
from mrfusion.data.volume import Target, Volume, read_volume
from mrfusion.errors import CaseError, Note, OutputError, SpecError, reason
from mrfusion.files import building_anew, write_json, write_text
from mrfusion.progress import Progress

ENDING = ".nii.gz"


def write_nnunet(
    cohort: Cohort, out: Path, *, splits: Sequence[Split], onto: Target | None = None, progress: Progress
) -> Path:
    """Write the folder ``out``, whole or not at all; CaseError for a case that cannot be used. Notes regions that are
    in no case.

    In ``splits_final.json``, which nnU-Net looks for among its preprocessed data, the ``val`` part of a fold is what
    the split tests, and ``train`` all the rest of it.
    """
    names, found = file_names(cohort), set[int]()
    content = dataset_json(cohort, names)
    try:
        with building_anew(out) as work:
            for number, case in enumerate(cohort.cases):
                progress(number, len(cohort.cases), case.id)
                found |= _write_case(case, cohort, work, names[case.id], onto)
            # in this order: nnU-Net pairs the regions with regions_class_order by their place
            write_text(work / "dataset.json", json.dumps(content, indent=1) + "\n")
            if splits:
                write_json(work / "splits_final.json", [_fold(split, names) for split in splits])
    except OSError as error:
        raise OutputError(f"cannot write {out}: {reason(error)}; nothing was kept of it") from None
    progress(len(cohort.cases), len(cohort.cases), "dataset.json")
    for region in cohort.regions:
        if not found & region.labels:
            said = in_no_case(f"region {region.name} ({sorted(region.labels)})", len(cohort.cases))
            warnings.warn(said, Note, stacklevel=2)
    return out


def file_names(cohort: Cohort) -> dict[str, str]:
    """Case id -> what its files are called: letters, digits and ``-_.``; SpecError where two would be the same."""
    names = {case.id: "".join(c if c.isalnum() or c in "-_." else "_" for c in case.id) for case in cohort.cases}
    if len(set(names.values())) < len(names):
        twice = sorted(case for case, name in names.items() if list(names.values()).count(name) > 1)
        raise SpecError(f"the cases {', '.join(map(repr, twice[:4]))} would have one file name; rename one of them")
    return names


def dataset_json(cohort: Cohort, names: dict[str, str]) -> dict[str, Any]:
    """What dataset.json says of a cohort; SpecError where its regions cannot be painted one over the other."""
    patients = {names[case.id]: case.patient for case in cohort.cases if case.patient != case.id}
    return {
        "channel_names": {str(number): name for number, name in enumerate(cohort.modalities)},
        **_labels(cohort),
        "numTraining": len(cohort.cases),
        "file_ending": ENDING,
        **({"patients": patients} if patients else {}),
    }


def _labels(cohort: Cohort) -> dict[str, Any]:
    """``labels``, and where regions overlap the label that each of them is painted with, the largest first."""
    if not cohort.regions:
        raise SpecError("nnU-Net segments; the cohort has classes and no regions. Write a datalist instead")
    number = label_numbers(cohort)
    joined = [Region(region.name, frozenset(number[v] for v in region.labels)) for region in cohort.regions]
    ordered = sorted(joined, key=lambda region: -len(region.labels))
    if all(len(region.labels) == 1 for region in ordered):
        return {"labels": {"background": 0, **{region.name: min(region.labels) for region in joined}}}
    paint = [_own_label(region, ordered) for region in ordered]
    for value, label in number.items():
        last = [colour for region, colour in zip(ordered, paint, strict=True) if label in region.labels][-1]
        if last != label:
            raise SpecError(
                f"nnU-Net paints one region over the other, and of {', '.join(r.name for r in ordered)} the label "
                f"{value} would be lost; name fewer regions, or such as lie inside each other"
            )
    regions = {region.name: sorted(region.labels) for region in ordered}
    return {"labels": {"background": 0, **regions}, "regions_class_order": paint}


def label_numbers(cohort: Cohort) -> dict[int, int]:
    """Label value -> what is written for it, from 1; values that are in the same regions have one number."""
    place: dict[frozenset[str], int] = {}
    within = {v: frozenset(r.name for r in cohort.regions if v in r.labels) for v in cohort.label_values}
    return {value: place.setdefault(names, len(place) + 1) for value, names in within.items()}


def _own_label(region: Region, regions: Sequence[Region]) -> int:
    inside = [other.labels for other in regions if other.labels < region.labels]
    return min(region.labels.difference(*inside), default=min(region.labels))


def _fold(split: Split, names: dict[str, str]) -> dict[str, list[str]]:
    train = sorted(names[case] for case in (*split.train, *split.val))
    return {"train": train, "val": sorted(names[case] for case in split.test)}


def _write_case(case: Case, cohort: Cohort, out: Path, name: str, onto: Target | None) -> set[int]:
    """The label values that the case has."""
    absent = [modality for modality in cohort.modalities if modality not in case.images]
    if absent or case.label_map is None:
        raise CaseError(f"case {case.id}: {are_absent(absent or ['the label map'])}; nnU-Net needs it, drop the case")
    volume = read_volume(case, cohort.modalities, cohort.label_values, onto=onto)
    images = [out / "imagesTr" / f"{name}_{number:04d}{ENDING}" for number in range(len(cohort.modalities))]
    label = out / "labelsTr" / f"{name}{ENDING}"
    assert volume.labels_XYZ is not None
    for path in (images[0], label):
        path.parent.mkdir(parents=True, exist_ok=True)
    values = list(label_numbers(cohort).values())
    if onto is None and _lies_as_wanted(case):
        for modality, path in zip(cohort.modalities, images, strict=True):
            shutil.copyfile(case.images[modality], path)
        write_label_map(label, volume.labels_XYZ, case.images[cohort.modalities[0]], values)
    else:
        _write_volume(volume, images, label, values)
    present = np.bincount(volume.labels_XYZ.ravel(), minlength=len(values) + 1)[1:] > 0
    return {value for value, is_there in zip(cohort.label_values, present, strict=True) if is_there}


def _write_volume(volume: Volume, images: Sequence[Path], label: Path, values: Sequence[int]) -> None:
    for path, array in zip(images, volume.images_MXYZ, strict=True):
        nib.save(nib.Nifti1Image(array, volume.affine), path)
    nib.save(nib.Nifti1Image(np.array([0, *values], np.uint8)[volume.labels_XYZ], volume.affine), label)


def _lies_as_wanted(case: Case) -> bool:
    """Whether every file is an image of three dimensions in .nii.gz, and all have one grid in one order of axes."""
    if case.channels or any(not path.name.endswith(ENDING) for path in case.files):
        return False
    first, *others = (read_header(path) for path in case.files)
    tolerance = 1e-3 * min(np.linalg.norm(first.affine[:3, :3], axis=0)) / math.sqrt(3)
    return all(
        len(first.stored) == 3
        and other.stored == first.stored
        and np.allclose(other.affine, first.affine, 0, tolerance)
        for other in others
    )
