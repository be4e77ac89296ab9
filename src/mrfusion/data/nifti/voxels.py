"""The voxels of NIfTI files: one reader, which inflates no more than the header announces.

The checksum at the end of a gzip file is verified, and an over-long file is noticed. Inflated by isal, twice as fast as
zlib.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.data.nifti.header import FAULTS, Header, header_of, opened, unreadable
from mrfusion.errors import CaseError


@dataclass(frozen=True, eq=False)
class Image:
    """One file in memory: (X, Y, Z) in RAS+ order, its affine in mm, and what was put up with."""

    path: Path
    array: NDArray[Any]
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> Grid:
        x, y, z = self.array.shape
        return Grid((x, y, z), self.affine)

    def fitted(self, grid: Grid) -> "Image":
        """The image with its axes in the order and directions of a grid that has the same voxels; else as it is."""
        if self.grid.same(grid) or not grid.covers(self.grid):
            return self
        change, turned = self.grid.turned(grid)
        return replace(self, array=np.ascontiguousarray(apply_orientation(self.array, change)), affine=turned.affine)


@dataclass(frozen=True, eq=False)
class Raw:
    """One volume as it is stored, (X, Y, Z) in the file's own order and type, not scaled yet."""

    header: Header
    array: NDArray[Any]
    notes: tuple[str, ...]

    @property
    def scaling(self) -> tuple[float, float] | None:
        """The factor and the offset that make values of what is stored; None where it stands for itself."""
        slope, intercept = self.header.nifti.get_slope_inter()
        return None if slope is None or (slope, intercept) == (1.0, 0.0) else (float(slope), float(intercept))


def read_image(path: Path) -> Image:
    """Intensities as float32 in RAS+; CaseError if the file is not what it claims or holds NaN or infinity."""
    (raw,) = read_raw(path, None)
    return _intensities(raw)


def read_channels(path: Path, channels: Sequence[int] | None) -> list[Image]:
    """Some volumes of a four-dimensional file, as :func:`read_image` reads one, in one pass over the file.

    What lies in between is inflated and dropped, what lies behind is never looked at. A file of three dimensions is
    its own channel 0; where ``channels`` is None, only such a file is read.
    """
    return [_intensities(raw) for raw in read_raw(path, channels)]


def read_raw(path: Path, channels: Sequence[int] | None, *, most_bytes: int | None = None) -> Iterator[Raw]:
    """The wanted volumes as stored; the only one where ``channels`` is None.

    CaseError for a damaged file, and where a volume takes more than ``most_bytes``.
    """
    wanted = channels or (0,)
    with opened(path) as stream:
        header = header_of(path, stream, channels is not None)
        if max(wanted) >= header.channels:
            raise CaseError(
                f"{path}: expected at least {max(wanted) + 1} volumes, found {header.channels}; mend the file"
            )
        kind = header.nifti.get_data_dtype()
        needed = math.prod(header.stored) * kind.itemsize
        if most_bytes is not None and needed > most_bytes:
            raise CaseError(
                f"{path}: the header announces {needed} bytes of labels, more than {most_bytes}; store them in a "
                "smaller data type, such as uint8"
            )
        found: dict[int, bytes] = {}
        try:
            stream.seek(max(int(header.nifti.get_data_offset()), header.nifti.sizeof_hdr))
            for channel in range(max(wanted) + 1):
                content = _exactly(path, stream, needed)
                if channel in wanted:
                    found[channel] = content
            more = max(wanted) == header.channels - 1 and bool(stream.read(1))
        except FAULTS as error:
            raise unreadable(path, error) from None
    notes = (f"{path.name}: the file goes on after the voxels that its header announces",) if more else ()
    for channel in wanted:
        array = np.frombuffer(found[channel], kind).reshape(header.shape, order="F")
        yield Raw(header, array, (*header.notes, *notes))


def to_ras(header: Header, array: NDArray[Any], notes: tuple[str, ...]) -> Image:
    """An array in the file's own order as an image in RAS+ order."""
    orientation = header.orientation
    turned = np.ascontiguousarray(apply_orientation(array, orientation))
    return Image(header.path, turned, header.affine @ inv_ornt_aff(orientation, header.shape), notes)


def _intensities(raw: Raw) -> Image:
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is infinite, and refused below
        array = raw.array.astype(np.float32)
        if raw.scaling is not None:
            slope, intercept = raw.scaling
            array = array * np.float32(slope) + np.float32(intercept)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise CaseError(
            f"{raw.header.path}: {bad} of {array.size} voxels are NaN or infinite; replace them (0 if outside the body)"
        )
    return to_ras(raw.header, array, raw.notes)


def _exactly(path: Path, stream: IO[bytes], needed: int) -> bytes:
    content = stream.read(needed)
    if len(content) < needed:
        raise CaseError(f"{path}: the header announces {needed} bytes of voxels, found {len(content)}; fetch it again")
    return content
