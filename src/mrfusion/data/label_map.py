"""Label maps: values of the file, indices inside, overlapping regions, and back into the case's own file."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, ornt_transform
from numpy.typing import NDArray

from mrfusion.case import Case, Region
from mrfusion.data.nifti.header import read_header
from mrfusion.data.nifti.voxels import Image
from mrfusion.errors import CaseError
from mrfusion.files import writing

_RAS = np.array([[0, 1], [1, 1], [2, 1]])


def index_labels(labels: Image, case: Case, label_values: Sequence[int]) -> Image:
    """The label map as uint8 indices: 0 background, i + 1 for ``label_values[i]``, 0 for values of no region.

    ``case.label_values`` says what the values in the file mean; any other value is refused with CaseError.
    """
    position = {value: index for index, value in enumerate(label_values, start=1)}
    index = np.zeros(labels.array.shape, np.uint8)
    known = labels.array == 0
    for value, meaning in case.label_values.items():
        here = labels.array == value
        known |= here
        if meaning in position:
            index[here] = position[meaning]
    if not known.all():
        values, counts = np.unique(labels.array[~known], return_counts=True)
        found = ", ".join(f"{v} ({n} voxels)" for v, n in list(zip(values, counts, strict=True))[:8])
        raise CaseError(
            f"case {case.id}: expected the label values {sorted({0, *case.label_values})}, found {found} in "
            f"{labels.path}; mend the file, or name the value in the layout's options (another year or dataset, "
            "a region, background_labels)"
        )
    return Image(labels.path, index, labels.affine, labels.notes)


def write_label_map(path: Path, index_XYZ: NDArray[np.uint8], reference: Path, values: Sequence[int]) -> None:
    """Write a prediction in the grid of the file ``reference``: its shape, orientation, affine, qform and sform.

    ``index_XYZ`` is in RAS+ order as :func:`read_labels` gives it; index i + 1 is written as ``values[i]``, the
    number that the case's own label convention has for it (:func:`file_values`). Whole or not at all.
    """
    lookup = np.array([0, *values], np.int64)
    kind = np.uint8 if lookup.max() < 2**8 else np.int16 if lookup.max() < 2**15 else np.int32
    write_map(path, lookup[index_XYZ].astype(kind), reference)


def write_map(path: Path, map_XYZ: NDArray[Any], reference: Path) -> None:
    """Write numbers for the voxels of a case, in RAS+ order, in the grid of the file ``reference``; whole or not at
    all."""
    header = read_header(reference, many=True)
    stored = apply_orientation(map_XYZ, ornt_transform(_RAS, header.orientation))
    if stored.shape != header.shape:
        raise ValueError(f"the prediction is {stored.shape} in the order of {reference}, which is {header.shape}")
    nifti = header.nifti.copy()
    nifti.set_data_dtype(map_XYZ.dtype)
    nifti.set_slope_inter(1, 0)
    nifti["cal_max"] = nifti["cal_min"] = 0
    nifti["descrip"], nifti["vox_offset"] = b"mrfusion", 0
    make = nib.Nifti2Image if isinstance(nifti, nib.Nifti2Header) else nib.Nifti1Image
    content = make(stored.reshape(header.stored), None, nifti).to_bytes()
    with writing(path) as temporary:
        temporary.write_bytes(gzip.compress(content, 4, mtime=0) if path.name.endswith(".gz") else content)


def file_values(case: Case, label_values: Sequence[int]) -> tuple[int, ...]:
    """What the case's own files call each of the label values inside; the value itself where they do not say."""
    raw: dict[int, int] = {}
    for value, meaning in case.label_values.items():
        raw.setdefault(meaning, value)
    return tuple(raw.get(value, value) for value in label_values)


def region_masks(index: NDArray[np.uint8], regions: Sequence[Region], label_values: Sequence[int]) -> NDArray[np.bool_]:
    """Index map of any shape -> (R, *shape): true where a voxel's label belongs to the region."""
    table = np.array([[False, *(value in region.labels for value in label_values)] for region in regions])
    return np.stack([row[index] for row in table]) if len(regions) else np.zeros((0, *index.shape), bool)


def can_be_painted(regions: Sequence[Region]) -> bool:
    """Whether one label map can hold these regions: whatever contradicts has an order to be painted in.

    That is so where every two are disjoint or one lies in the other, or where no regions can contradict each other,
    because each of their combinations has a label of its own.
    """
    ordered = all(
        a.labels <= b.labels or b.labels <= a.labels or not a.labels & b.labels for a in regions for b in regions
    )
    labels = {label for region in regions for label in region.labels}
    patterns = {tuple(label in region.labels for region in regions) for label in labels}
    return ordered or len(patterns) == 2 ** len(regions) - 1


def paint_regions(masks: NDArray[Any], regions: Sequence[Region], label_values: Sequence[int]) -> NDArray[np.uint8]:
    """(R, *shape) masks of overlapping regions -> index map of that shape, the reverse of :func:`region_masks`.

    A voxel whose regions are exactly those of a label gets that label. A voxel whose regions contradict each other
    (ET outside of WT) is painted from the region of most labels to that of fewest, each with its own label: the
    lowest in no smaller region inside it. So WT paints ED, TC paints NCR, ET paints ET.
    """
    whole = np.zeros(masks.shape[1:], np.uint8)
    there = masks.any(axis=0)
    members = masks.astype(bool)[:, there]  # (R, voxels of any region)
    packed = np.packbits(members, axis=0).T
    numbers = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
    numbers[:, : packed.shape[1]] = packed
    words = numbers.view(np.uint64)  # one for up to 64 regions
    words = words[:, 0] if words.shape[1] == 1 else words.view(f"V{8 * words.shape[1]}")[:, 0]
    which, first, of_voxel = np.unique(words, return_index=True, return_inverse=True)
    lookup = np.zeros(len(which), np.uint8)
    for place, voxel in enumerate(first):
        inside = [region for region, here in zip(regions, members[:, voxel], strict=True) if here]
        lookup[place] = 1 + label_values.index(_label_for(inside, regions))
    whole[there] = lookup[of_voxel.ravel()]
    return whole


def _label_for(inside: Sequence[Region], regions: Sequence[Region]) -> int:
    common = frozenset.intersection(*(region.labels for region in inside))
    for label in sorted(common):
        if all((label in region.labels) == (region in inside) for region in regions):
            return label
    smallest = min(reversed(inside), key=lambda region: len(region.labels))
    within = [region.labels for region in regions if region.labels < smallest.labels]
    return min(smallest.labels.difference(*within), default=min(smallest.labels))
