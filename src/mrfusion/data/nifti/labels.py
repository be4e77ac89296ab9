"""Label maps: whole numbers out of NIfTI and PNG files, in RAS+ order, or as they lie in the file.

Scoring takes them as they lie, without turning and in no wider type, so that its time is not spent on reading.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.data.nifti.voxels import Image, Raw, read_raw, to_ras
from mrfusion.data.picture import read_picture
from mrfusion.errors import CaseError

WHOLE = 1e-3  # labels such as 1.00002 come out of resampling tools and count as whole
FACTOR_ERROR = 2.0**-22  # of a value: its scale factor is stored as float32
MAX_BYTES = 2**28  # a label map of 512 x 512 x 1024 as bytes
NO_SCALE = (
    "write the labels with a data type of whole numbers and no scale factor (in nibabel: image.set_data_dtype('uint8') "
    "and image.header.set_slope_inter(1, 0))"
)
_AS_IT_IS = np.array([[0, 1], [1, 1], [2, 1]])  # no axis changes its place or its direction


@dataclass(frozen=True, eq=False)
class Stored:
    """Whole numbers on a grid of two or three dimensions, and where that lies in the file's own axes (None: PNG).

    ``spacing_mm`` has an entry for each dimension; a PNG file has none to tell and counts in pixels. ``notes`` say what
    was put up with.
    """

    path: Path
    array: NDArray[Any]
    spacing_mm: tuple[float, ...]
    grid: Grid | None
    notes: tuple[str, ...] = ()

    def turned(self, onto: Grid) -> "Stored":
        """The same in the order and direction of axes that is nearest to that of another grid."""
        if self.grid is None:
            return self
        change, grid = self.grid.turned(onto)
        if np.array_equal(change, _AS_IT_IS):
            return self
        array = apply_orientation(self.array.reshape(self.grid.shape, order="F"), change)
        return _flat(self.path, array, grid, self.notes)


def _flat(path: Path, array: NDArray[Any], grid: Grid, notes: tuple[str, ...]) -> Stored:
    """Without the axes along which there is a single voxel, but for two."""
    kept = [axis for axis in range(3) if grid.shape[axis] > 1]
    kept = [0, 1] if len(kept) < 2 else kept
    flat = array.reshape([grid.shape[axis] for axis in kept], order="F")
    return Stored(path, flat, tuple(grid.spacing_mm[axis] for axis in kept), grid, notes)


def read_labels(path: Path) -> Image:
    """Whole numbers as int32 in RAS+; CaseError for anything else, see :func:`whole_numbers`."""
    (raw,) = read_raw(path, None)
    values, notes = whole_numbers(raw)
    return to_ras(raw.header, values.astype(np.int32), (*raw.notes, *notes))


def read_stored(path: Path) -> Stored:
    """A label map or mask from .nii, .nii.gz or .png; a volume of one slice is an image. CaseError otherwise."""
    if path.name.lower().endswith(".png"):
        array = _picture(path)
        return Stored(path, array, (1.0,) * array.ndim, None)
    (raw,) = read_raw(path, None, most_bytes=MAX_BYTES)
    array, notes = whole_numbers(raw)
    return _flat(path, array, Grid(raw.header.shape, raw.header.affine), (*raw.notes, *notes))


def whole_numbers(raw: Raw) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The values of a label map, integers of any type, and what was rounded.

    Values within 0.001 of a whole number are rounded with a note. So are those that a file of integers holds only to
    the nearest step of its scale factor, as nibabel writes labels 0, 1, 2, 4 into the header of a uint8 file (1.0039
    and 1.9922, steps of 0.0157): half a step is allowed where the step is below 1. CaseError for other values.
    """
    scaling = raw.scaling
    if scaling is None and raw.array.dtype.kind != "f":
        return _small(raw, raw.array), ()
    slope, intercept = scaling or (1.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.array if scaling is None else raw.array * slope + intercept
        whole = np.rint(values)
        off = np.abs(values - whole)
    half = _half_step(raw, slope)
    allowed = max(WHOLE, half + FACTOR_ERROR * float(np.abs(whole).max()) if half else 0.0)
    if not np.all(off <= allowed):  # NaN is not below anything
        raise CaseError(_not_whole(raw, values, off))
    notes: tuple[str, ...] = ()
    if off.any():
        why = f", which its scale factor {slope:.4g} cannot hold exactly" if float(off.max()) > WHOLE else ""
        count, name = int(np.count_nonzero(off)), raw.header.path.name
        notes = (f"{name}: {count} label values were rounded to whole numbers{why}",)
    return _small(raw, whole).astype(np.int32), notes


def _half_step(raw: Raw, slope: float) -> float:
    """Half of the distance between two values that a file of integers can hold; 0 where it says nothing."""
    is_step = raw.array.dtype.kind in "iu" and raw.scaling is not None and 0 < abs(slope) < 1
    return 0.5 * abs(slope) if is_step else 0.0


def _not_whole(raw: Raw, values: NDArray[Any], off: NDArray[Any]) -> str:
    place = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    worst, stored = values.ravel()[place], raw.array.ravel()[place]
    found = f"{raw.header.path}: expected whole numbers in a label map, found {worst}"
    if raw.scaling is None:
        return (
            f"{found}; is this the label map? If it is, round its values and write them with a data type of whole "
            "numbers; probabilities are thresholded first"
        )
    slope, intercept = raw.scaling
    return f"{found} ({stored} x {slope:.6g} + {intercept:.6g}); is this the label map? If it is, {NO_SCALE}"


def _small(raw: Raw, values: NDArray[Any]) -> NDArray[Any]:
    """The values, all of which fit into 32 bits."""
    if values.dtype.itemsize > 2 and values.size and (values.min() < -(2**31) or values.max() >= 2**31):
        raise CaseError(
            f"{raw.header.path}: expected small whole numbers in a label map, found {values.max()}; is this the label "
            "map?"
        )
    return values


def _picture(path: Path) -> NDArray[Any]:
    _, array = read_picture(path)
    if array.ndim != 2:
        raise CaseError(
            f"{path}: expected one value per pixel, found shape {array.shape}; write label values, not colours"
        )
    return array.astype(np.uint8) if array.dtype == bool else array
