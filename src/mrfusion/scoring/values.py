"""Which values may stand in what is scored: whole numbers that somebody explained, and nothing else."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Region
from mrfusion.errors import CaseError
from mrfusion.surface.box import window


def check_shapes(arrays: Mapping[str, NDArray[Any]], regions: Sequence[Region], spacing_mm: Sequence[float]) -> None:
    """CaseError unless each is a label map, or holds a mask for each region, on one grid with voxels and a spacing."""
    dimensions = len(spacing_mm)
    if dimensions not in (2, 3) or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise CaseError(f"expected 2 or 3 voxel edges above 0 mm as spacing_mm, found {tuple(spacing_mm)}")
    shapes = [array.shape[array.ndim - dimensions :] for array in arrays.values()]
    if len(set(shapes)) > 1:
        raise CaseError(
            f"{' and '.join(arrays)} differ in shape, {shapes[0]} and {shapes[1]}; resample one to the other"
        )
    for name, array in arrays.items():
        if array.ndim not in (dimensions, dimensions + 1) or (array.ndim > dimensions and len(array) != len(regions)):
            raise CaseError(
                f"the {name}: expected a label map in {dimensions} dimensions or one mask for each of {len(regions)} "
                f"regions, found the shape {array.shape}"
            )
        if not array.size or array.dtype.kind not in "biuf":
            raise CaseError(f"the {name}: expected an array of numbers, found {array.dtype} of the shape {array.shape}")


def check_known(arrays: Mapping[str, NDArray[Any]], regions: Sequence[Region], dimensions: int) -> None:
    """CaseError unless label maps hold the regions' values alone, and masks 0 and 1.

    What only looks like one is refused: probabilities, NaN, 0 and 255, a value that is in no region.
    """
    for name, array in arrays.items():
        is_map = array.ndim == dimensions
        known = {value for region in regions for value in region.labels} if is_map else {1}
        check_values(array, known, f"the {name}", _cure(is_map))


def check_values(array: NDArray[Any], known: Collection[int], what: str, cure: str) -> None:
    """CaseError, naming the values and how often they are there, where any but 0 and the known ones stands."""
    if _all_between(array, known):
        return
    part = array[window([array])] if array.ndim == 3 else array
    explained = part == 0
    for value in known:
        explained |= part == value
    if not explained.all():
        found, counts = np.unique(part[~explained], return_counts=True)
        several = list(zip(found, counts, strict=True))
        listed = ", ".join(f"{v} ({n} voxels)" for v, n in several[:8]) + (", .." if len(several) > 8 else "")
        raise CaseError(f"{what}: expected the values {sorted({0, *known})}, found {listed}; {cure}")


def _all_between(array: NDArray[Any], known: Collection[int]) -> bool:
    """Whether the largest value alone shows that all are known, as where 1, 2 and 3 are; quicker than a look at all."""
    if array.dtype.kind not in "bu":
        return False
    largest = int(array.max())
    return largest <= len(known) and all(value in known for value in range(1, largest + 1))


def _cure(is_map: bool) -> str:
    if is_map:
        return (
            "give regions that hold these values, or set to 0 what is background; probabilities are thresholded first"
        )
    return "a mask is 1 inside its region and 0 outside; probabilities are thresholded first"
