"""NIfTI headers, understood by nibabel: everything a file claims is checked before memory is asked for it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from isal import igzip
from isal.igzip_lib import IsalError
from nibabel.orientations import inv_ornt_aff, io_orientation
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.errors import CaseError

MAX_VOXELS = 2**28  # 1 GiB as float32: a CT of 512 x 512 x 1024
MAX_OFFSET = 2**24  # header extensions before the voxels
GZIP_RATIO = 1032  # deflate cannot do better
FREE_VOXELS = 2**26  # 256 MiB as float32: what a small file may announce
PLAUSIBLE_RATIO = 200  # images are compressed to a half or a tenth, and with a sparse label map beside them to less
FAULTS: Any = (OSError, EOFError, IsalError)  # what reading a damaged file raises
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True, eq=False)
class Header:
    """What a file says of itself, checked: the shape it is stored in, and the affine of that.

    ``channels`` are the volumes of a four-dimensional file, one behind the other; ``stored`` is the shape of one.
    """

    path: Path
    nifti: Any
    stored: tuple[int, ...]
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    channels: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        return _padded(self.stored)

    @property
    def voxels(self) -> int:
        """Of all channels."""
        return math.prod(self.stored) * self.channels

    @property
    def oriented(self) -> bool:
        """Whether the file says how the image lies in the world."""
        return int(self.nifti["qform_code"]) > 0 or int(self.nifti["sform_code"]) > 0

    @property
    def orientation(self) -> NDArray[np.float64]:
        return np.asarray(io_orientation(self.affine))

    @property
    def turned(self) -> tuple[tuple[int, ...], NDArray[np.float64]]:
        """The shape and the affine after turning to RAS+."""
        x, y, z = (self.shape[axis] for axis in np.argsort(self.orientation[:, 0]))
        return (x, y, z), self.affine @ inv_ornt_aff(self.orientation, self.shape)


def read_header(path: Path, *, many: bool = False) -> Header:
    """The header of a single-file NIfTI-1 or -2, checked before anything is allocated; CaseError otherwise.

    A file of four dimensions is refused unless ``many`` says that it may hold many volumes.
    """
    with opened(path) as stream:
        return header_of(path, stream, many)


def unreadable(path: Path, error: Exception) -> CaseError:
    """What one of :data:`FAULTS` says of a file: that the system refused to read it, or that its bytes are damaged."""
    if isinstance(error, OSError) and error.errno is not None:
        return CaseError(f"{path}: the system cannot read the file: {error.strerror}; the file itself may be sound")
    return CaseError(f"{path}: the file is cut short or damaged ({error}); fetch it again")


def check_regular(path: Path) -> None:
    """CaseError for a pipe or a device, which would be waited on for ever; what is absent is noticed on opening."""
    if path.exists() and not path.is_file():
        raise CaseError(
            f"{path}: expected a readable file, found {'a folder' if path.is_dir() else 'a device or pipe'}"
        )


def check_plausible(headers: Iterable[Header], *, voxels: int = 0) -> None:
    """CaseError where small files announce far more than images of their size hold: they would only fill the memory.

    ``voxels`` is how many the case has in memory, where that is more than its files hold together.
    """
    found = list(headers)
    needed = sum(header.voxels * header.nifti.get_data_dtype().itemsize for header in found)
    size = sum(header.path.stat().st_size for header in found)
    if max(voxels, sum(header.voxels for header in found)) > FREE_VOXELS and needed > PLAUSIBLE_RATIO * size:
        names = ", ".join(str(header.path) for header in found)
        raise CaseError(
            f"{names}: {size} bytes on disk announce {needed} bytes of voxels, as no image does; the file is damaged, "
            "or made to fill the memory. Fetch it again, or cut away what is empty"
        )


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, inflated if its name ends in .gz."""
    check_regular(path)
    try:
        with path.open("rb") as stream:
            magic = stream.read(2)
        if not path.name.lower().endswith(".gz"):
            return path.open("rb")
        if magic == b"\x1f\x8b":
            return cast(IO[bytes], igzip.open(path, "rb"))
    except OSError as error:
        raise CaseError(f"{path}: expected a readable file, found: {error.strerror}") from None
    raise CaseError(f"{path}: expected a gzip file, found one that begins with {magic!r}; is it really NIfTI?")


@np.errstate(all="ignore")  # a damaged header may hold any bits; what comes out is checked
def header_of(path: Path, stream: IO[bytes], many: bool) -> Header:
    """The header of an opened file, which is left behind it."""
    try:
        block = stream.read(540)
        sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")}
        make = nib.Nifti2Header if 540 in sizes else nib.Nifti1Header
        if not sizes & {348, 540} or len(block) < make.sizeof_hdr:
            raise ValueError(f"it begins with {block[:16]!r}")
        nifti = make(block[: make.sizeof_hdr], check=False)
        if nifti["magic"].item() not in (b"n+1", b"n+2"):
            raise ValueError(f"its magic is {nifti['magic'].item()!r}, n+1 or n+2 is a single-file NIfTI")
        shape = tuple(int(n) for n in nifti.get_data_shape())
        kind = nifti.get_data_dtype()
        nifti.get_slope_inter()
        if np.isinf(nifti["scl_slope"]):
            raise ValueError("its voxels are scaled by infinity")
    except FAULTS as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, HeaderDataError, WrapStructError) as error:
        raise CaseError(f"{path}: expected a NIfTI file, found that {error}; convert it to .nii.gz") from None
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise CaseError(f"{path}: expected one number per voxel, found the data type {kind}; convert it")
    _check_shape(path, nifti, shape, itemsize=kind.itemsize, many=many)
    channels = math.prod(shape[3:])
    stored = shape if channels == 1 else shape[:3]
    affine, notes = _checked_affine(path, nifti, stored)
    return Header(path, nifti, stored, affine, notes, channels)


def _check_shape(path: Path, nifti: Any, shape: tuple[int, ...], *, itemsize: int, many: bool) -> None:
    is_volume = len(shape) >= 2 and min(shape) >= 1 and all(n == 1 for n in shape[3:])
    if not is_volume and not (many and len(shape) == 4 and min(shape) >= 1):
        hint = (
            "; split the file into one per modality" if len(shape) > 3 and min(shape) > 0 else "; the file is damaged"
        )
        raise CaseError(f"{path}: expected a volume of two or three dimensions, found the shape {shape}{hint}")
    voxels, size = math.prod(shape), path.stat().st_size
    if voxels > MAX_VOXELS:
        raise CaseError(f"{path}: the header announces {shape} voxels, more than {MAX_VOXELS}; the header is damaged")
    possible = size * GZIP_RATIO if path.name.lower().endswith(".gz") else size
    if voxels * itemsize > possible:
        raise CaseError(
            f"{path}: the header announces {shape} voxels of {itemsize} bytes, the file has {size} bytes and "
            "cannot hold them; it is cut short or its header is damaged, fetch it again"
        )
    if not 0 <= float(nifti["vox_offset"]) <= MAX_OFFSET:
        raise CaseError(f"{path}: the header says that the voxels begin at byte {nifti['vox_offset']}; it is damaged")


def _checked_affine(path: Path, nifti: Any, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if len(shape) < 3 and nifti["pixdim"][3] == 0:
        nifti["pixdim"][3] = 1  # the thickness of a single slice is often left out
        notes = (f"{path.name}: a single slice without a thickness, taken as 1 mm",)
    notes = (*notes, *_without_sform(path, nifti))
    placed = int(nifti["sform_code"]) > 0
    edges = np.asarray(nifti["pixdim"][1:4], np.float64)
    try:
        affine = np.asarray(nifti.get_best_affine(), np.float64)
    except (ValueError, HeaderDataError) as error:
        raise CaseError(f"{path}: the header's orientation cannot be used ({error}); write the affine anew") from None
    affine[:3] *= _UNITS_MM.get(int(nifti["xyzt_units"]) & 7, 1.0)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not _usable(affine) or not (placed or (edges > 0).all()):
        found = spacing if placed else edges
        raise CaseError(
            f"{path}: expected a finite affine with voxel edges above 0 mm in three directions, found edges of {found} "
            "mm; write the header anew"
        )
    if not int(nifti["qform_code"]) > 0 and not placed:
        notes = (
            *notes,
            f"{path.name}: the header gives no orientation, the axes are taken as left, anterior, superior",
        )
    return affine, (*notes, *_two_geometries(path, nifti, Grid(_padded(shape), affine)))


def _without_sform(path: Path, nifti: Any) -> tuple[str, ...]:
    """Puts the qform in the place of an sform that is there and cannot be used, with a note."""
    if not (int(nifti["sform_code"]) > 0 and int(nifti["qform_code"]) > 0):
        return ()
    try:
        qform = np.asarray(nifti.get_qform(), np.float64)
    except (ValueError, HeaderDataError):
        return ()
    if _usable(nifti.get_sform()) or not _usable(qform):
        return ()
    nifti.set_sform(qform, 1)  # the code that the header has may be none that NIfTI knows
    return (f"{path.name}: the header's sform cannot be used; the qform was used",)


def _two_geometries(path: Path, nifti: Any, used: Grid) -> tuple[str, ...]:
    """A note where the header's qform and sform, if it has both, place the image in different positions."""
    if not (int(nifti["qform_code"]) > 0 and int(nifti["sform_code"]) > 0):
        return ()
    try:
        affine = np.asarray(nifti.get_qform(), np.float64)
    except (ValueError, HeaderDataError) as error:
        return (f"{path.name}: the header's qform cannot be used ({error}); the sform was used",)
    affine[:3] *= _UNITS_MM.get(int(nifti["xyzt_units"]) & 7, 1.0)
    other = Grid(used.shape, affine)
    if used.same(other):
        return ()
    return (
        f"{path.name}: the header's two geometries, qform and sform, lie up to {used.offset_mm(other):.1f} mm apart; "
        "the sform was used, and tools that read the qform (those built on ITK) will see the image elsewhere",
    )


def _padded(shape: tuple[int, ...]) -> tuple[int, int, int]:
    x, y, z = (*shape, 1, 1)[:3]
    return x, y, z


def _usable(affine: NDArray[np.float64]) -> bool:
    """Finite, edges between 0.1 micrometres and 10 metres, and no two axes in nearly the same direction."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or spacing.min() < 1e-4 or spacing.max() > 1e4:
        return False
    return bool(abs(np.linalg.det(affine[:3, :3] / spacing)) > 0.01)
