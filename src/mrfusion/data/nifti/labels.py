"""Label maps as they lie in their files: no turning to RAS+, no wider type, so that scoring is not spent on reading.

Inflated by isal, three times as fast as zlib.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib as inflate
from numpy.typing import NDArray

from mrfusion.data.nifti.header import WHOLE, Header, read_header
from mrfusion.data.picture import read_picture
from mrfusion.data.volume import Grid
from mrfusion.errors import CaseError

MAX_BYTES = 2**28  # a label map of 512 x 512 x 1024 as bytes
FAULTS: Any = (inflate.error, EOFError)  # what either of them raises


@dataclass(frozen=True, eq=False)
class Stored:
    """Whole numbers on a grid of two or three dimensions, and where that lies in the file's own axes (None: PNG).

    ``spacing_mm`` has an entry for each dimension; a PNG file has none to tell and counts in pixels.
    """

    path: Path
    array: NDArray[Any]
    spacing_mm: tuple[float, ...]
    grid: Grid | None


def read_stored(path: Path) -> Stored:
    """A label map or mask from .nii, .nii.gz or .png; a volume of one slice is an image. CaseError otherwise."""
    if path.name.lower().endswith(".png"):
        array = _picture(path)
        return Stored(path, array, (1.0,) * array.ndim, None)
    header = read_header(path)
    array = _whole(path, _voxels(header))
    grid = Grid(header.shape, header.affine)
    kept = [axis for axis in range(3) if header.shape[axis] > 1]
    kept = [0, 1] if len(kept) < 2 else kept
    return Stored(
        path,
        array.reshape([header.shape[axis] for axis in kept], order="F"),
        tuple(grid.spacing_mm[axis] for axis in kept),
        grid,
    )


def _voxels(header: Header) -> NDArray[Any]:
    kind, nifti = header.nifti.get_data_dtype(), header.nifti
    start = max(int(nifti.get_data_offset()), nifti.sizeof_hdr)
    needed = math.prod(header.stored) * kind.itemsize
    if needed > MAX_BYTES:
        raise CaseError(
            f"{header.path}: the header announces {needed} bytes of labels, more than {MAX_BYTES}; store them in a "
            "smaller data type, such as uint8"
        )
    end = start + needed
    content = _content(header.path, end)
    if len(content) < end:
        raise CaseError(f"{header.path}: the header announces {end} bytes, found {len(content)}; fetch the file again")
    array = np.frombuffer(content, kind, math.prod(header.stored), start).reshape(header.shape, order="F")
    slope, intercept = nifti.get_slope_inter()
    scaled = slope is not None and (slope, intercept) != (1.0, 0.0)
    return array * float(slope) + float(intercept) if scaled else array


def _content(path: Path, needed: int) -> bytes:
    """The file's first bytes, inflated if its name ends in .gz; the checksum is verified where the file ends there."""
    content = path.read_bytes()
    if not path.name.lower().endswith(".gz"):
        return content
    parts: list[bytes] = []
    while content and sum(map(len, parts)) <= needed:  # a gzip file may be several, one behind the other
        member = inflate.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(content, needed + 1 - sum(map(len, parts))))
        except FAULTS as error:
            raise CaseError(f"{path}: the file is damaged ({error}); fetch it again") from None
        content = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _whole(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers as they are, floats that are whole within 0.001 as int32; CaseError otherwise."""
    if array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):
        whole = np.rint(array)
        off = np.abs(array - whole)
    if not np.all(off <= WHOLE) or np.abs(whole).max(initial=0) >= 2**31:
        raise CaseError(f"{path}: expected whole numbers in a label map, found others; is this the label map?")
    return np.asarray(whole, np.int32)


def _picture(path: Path) -> NDArray[Any]:
    _, array = read_picture(path)
    if array.ndim != 2:
        raise CaseError(
            f"{path}: expected one value per pixel, found shape {array.shape}; write label values, not colours"
        )
    return array.astype(np.uint8) if array.dtype == bool else array
