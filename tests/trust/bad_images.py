"""Bad images: NIfTI headers, gzip streams, voxels, labels, grids, links and names, each as a data set to inspect."""

import functools
import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from sandbox import Bad

SHAPE = (12, 14, 10)
LAYOUT = "folder(modalities=['t1','t2'],label='seg',regions={'whole':[1,2],'core':[1]})"
INSPECT = ("inspect", "in", "--layout", LAYOUT, "--out", "out")
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
Change = Callable[[Path], object]


def ball() -> NDArray[np.int16]:
    """Labels 0, 1, 2: a core in a whole."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    return np.asarray((radius < 4) * 2 - (radius < 2), np.int16)


def save(path: Path, array: NDArray[Any], affine: NDArray[np.float64] = AFFINE) -> None:
    """An image on disk by nibabel alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def data_set(work: Path, name: str = "a", seed: int = 0) -> Path:
    """A sound case of two modalities and a label map in ``work/in/name``."""
    images = np.random.default_rng(seed).integers(50, 99, (2, *SHAPE)).astype(np.int16)
    home = work / "in" / name
    for key, array in (("t1", images[0]), ("t2", images[1]), ("seg", ball())):
        save(home / f"{key}.nii.gz", array)
    return home


def after(change: Change, file: str = "t2.nii.gz") -> Callable[[Path], Sequence[object]]:
    """A sound data set with one file of it changed, to be inspected."""

    def make(work: Path) -> Sequence[object]:
        change(data_set(work) / file)
        return INSPECT

    return make


def header(**fields: Any) -> Change:
    """The file with other header fields."""

    def change(path: Path) -> None:
        raw = gzip.decompress(path.read_bytes())
        found = nib.Nifti1Header(raw[:348], check=False)
        for name, value in fields.items():
            found[name] = value
        path.write_bytes(gzip.compress(found.binaryblock + raw[348:]))

    return change


def dims(*sizes: int) -> Change:
    return header(dim=[len(sizes), *sizes, *[1] * (7 - len(sizes))])


def array(values: NDArray[Any], affine: NDArray[np.float64] = AFFINE) -> Change:
    return lambda path: save(path, values, affine)


def bytes_of(edit: Callable[[bytes], bytes]) -> Change:
    return lambda path: path.write_bytes(edit(path.read_bytes()))


def inflated(edit: Callable[[bytes], bytes]) -> Change:
    return lambda path: path.write_bytes(gzip.compress(edit(gzip.decompress(path.read_bytes()))))


@functools.cache
def zeros() -> bytes:
    """A gzip member of 64 MiB of zeros, in 64 KiB."""
    return gzip.compress(bytes(2**26), 9)


def zeros_behind(mebibytes: int) -> Callable[[bytes], bytes]:
    return lambda content: content + zeros() * (mebibytes // 64)


def bomb(kind: type[np.generic], *shape: int) -> Change:
    """A header that keeps its word: as many zeros as it announces, in a thousandth of their size."""

    def change(path: Path) -> None:
        head = nib.Nifti1Header()
        head.set_data_dtype(kind)
        head.set_data_shape(shape)
        head.set_sform(AFFINE, 1)
        head["vox_offset"], head["magic"] = 352, b"n+1"
        needed = int(np.prod(shape)) * np.dtype(kind).itemsize
        path.write_bytes(zeros_behind(needed // 2**20)(gzip.compress(head.binaryblock + bytes(4))))

    return change


def with_voxel(value: float, base: float = 60) -> NDArray[np.float32]:
    values = np.full(SHAPE, base, np.float32)
    values[3, 3, 3] = value
    return values


def with_label(value: float) -> NDArray[np.float64]:
    labels = ball().astype(np.float64)
    labels[0, 0, 0] = value
    return labels


def linked(target: str) -> Change:
    def change(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return change


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked_folder(work: Path) -> Sequence[object]:
    data_set(work)
    data_set(work.parent / "elsewhere")
    (work / "in" / "b").symlink_to(work.parent / "elsewhere" / "in" / "a")
    return INSPECT


def named(name: str | bytes) -> Callable[[Path], Sequence[object]]:
    """A case of this name that lacks a file, so that the name stands in a message."""

    def make(work: Path) -> Sequence[object]:
        home = data_set(work, os.fsdecode(name))
        (home / "t2.nii.gz").unlink()
        return INSPECT

    return make


def twice(work: Path) -> Sequence[object]:
    data_set(work, "a")
    data_set(work, "b")
    return INSPECT


def without(*files: str) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        home = data_set(work)
        for file in files:
            (home / file).unlink()
        return INSPECT

    return make


def singular() -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 1] = affine[:3, 0]
    return affine


def moved(mm: float) -> NDArray[np.float64]:
    affine = AFFINE.copy()
    affine[0, 3] = mm
    return affine


T2, SEG = "t2.nii.gz", "seg.nii.gz"
HEADERS = {
    "30000^3 voxels": (dims(30000, 30000, 30000), "announces (30000, 30000, 30000)"),
    "600^3 voxels in a small file": (dims(600, 600, 600), "cannot hold them"),
    "more slices than there are": (dims(12, 14, 12), "the header announces 4032 bytes"),
    "a dimension of 0": (dims(12, 0, 10), "two or three dimensions"),
    "a negative dimension": (dims(12, -14, 10), "two or three dimensions"),
    "no dimensions": (header(dim=[0, 1, 1, 1, 1, 1, 1, 1]), "two or three dimensions"),
    "77 dimensions": (header(dim=[77, 12, 14, 10, 1, 1, 1, 1]), "two or three dimensions"),
    "-3 dimensions": (header(dim=[-3, 12, 14, 10, 1, 1, 1, 1]), "dimensions"),
    "four dimensions, modalities last": (dims(6, 7, 10, 4), "one per modality"),
    "four dimensions, channels first": (dims(4, 6, 7, 10), "one per modality"),
    "five dimensions": (dims(6, 7, 5, 2, 2), "one per modality"),
    "seven dimensions": (dims(3, 2, 2, 2, 2, 2, 2), "one per modality"),
    "an offset of 1e30": (header(vox_offset=1e30), "voxels begin at byte"),
    "an offset that is no number": (header(vox_offset=np.nan), "voxels begin at byte"),
    "an infinite offset": (header(vox_offset=np.inf), "voxels begin at byte"),
    "a negative offset": (header(vox_offset=-4), "voxels begin at byte"),
    "an offset behind the end": (header(vox_offset=1e6), "the header announces 3360 bytes"),
    "an unknown data type": (header(datatype=77), "expected a NIfTI file"),
    "a negative data type": (header(datatype=-2), "expected a NIfTI file"),
    "colours": (header(datatype=128, bitpix=24), "one number per voxel"),
    "complex numbers": (header(datatype=32, bitpix=64), "one number per voxel"),
    "numbers of 128 bits": (header(datatype=1536, bitpix=128), "one number per voxel"),
    "single bits": (header(datatype=1, bitpix=1), "one number per voxel"),
    "a slope beyond every number": (header(scl_slope=3e38, scl_inter=0), "voxels are NaN or infinite"),
    "an infinite slope": (header(scl_slope=np.inf, scl_inter=0), "expected a NIfTI file"),
    "an intercept that is no number": (header(scl_slope=2, scl_inter=np.nan), "expected a NIfTI file"),
    "an affine that is no number": (header(srow_x=[np.nan, 0, 0, 0]), "finite affine"),
    "an infinite affine": (header(srow_x=[np.inf, 0, 0, 0]), "finite affine"),
    "an affine of zeros": (header(srow_z=[0, 0, 0, 0]), "edges above 0 mm"),
    "an affine without volume": (array(np.ones(SHAPE, np.int16), singular()), "finite affine"),
    "voxels of kilometres": (array(np.ones(SHAPE, np.int16), np.diag([1e7, 1, 1, 1])), "finite affine"),
    "a spacing of 0": (header(sform_code=0, qform_code=0, pixdim=[1, 0, 1, 1, 0, 0, 0, 0]), "edges above 0 mm"),
    "a negative spacing": (header(sform_code=0, qform_code=1, pixdim=[1, -1, 1, 1, 0, 0, 0, 0]), "header"),
    "an impossible quaternion": (
        header(sform_code=0, qform_code=1, quatern_b=5, quatern_c=5, quatern_d=5),
        "orientation cannot be used",
    ),
    "a header of another size": (header(sizeof_hdr=1234), "expected a NIfTI file"),
    "the magic of a pair": (header(magic=b"ni1"), "single-file NIfTI"),
    "no magic": (header(magic=b"\xff\xfe\x00\x01"), "single-file NIfTI"),
}
STREAMS = {
    "gzip cut short": (bytes_of(lambda content: content[:-200]), "cut short or damaged"),
    "gzip of ten bytes": (bytes_of(lambda content: content[:10]), "cut short or damaged"),
    "a wrong checksum": (
        bytes_of(lambda content: content[:-8] + bytes([content[-8] ^ 255]) + content[-7:]),
        "cut short or damaged",
    ),
    "a wrong length at the end": (bytes_of(lambda content: content[:-1] + b"\xff"), "cut short or damaged"),
    "a byte changed in the middle": (
        bytes_of(lambda content: content[:900] + bytes([content[900] ^ 255]) + content[901:]),
        "cut short or damaged",
    ),
    "text": (bytes_of(lambda _: b"not an image"), "expected a gzip file"),
    "a web page": (bytes_of(lambda _: b"<!DOCTYPE html><title>404</title>"), "expected a gzip file"),
    "text in gzip": (inflated(lambda _: b"hello " * 200), "expected a NIfTI file"),
    "gzip in gzip": (bytes_of(gzip.compress), "expected a NIfTI file"),
    "nothing": (bytes_of(lambda _: b""), "expected a gzip file"),
    "nothing in gzip": (inflated(lambda _: b""), "expected a NIfTI file"),
    "half a header": (inflated(lambda content: content[:200]), "expected a NIfTI file"),
    "a header alone": (inflated(lambda content: content[:352]), "the header announces 3360 bytes"),
    "a bomb that announces 4 GiB": (bomb(np.float64, 1024, 1024, 512), "more than"),
    "a bomb that announces 2 GiB": (bomb(np.float64, 1024, 512, 512), "made to fill the memory"),
    "a bomb that announces 512 MiB": (bomb(np.uint8, 1024, 1024, 512), "more than"),
    "a bomb that announces 256 MiB": (bomb(np.uint8, 1024, 512, 512), "made to fill the memory"),
}
VOXELS = {
    "a voxel that is no number": (array(with_voxel(np.nan)), "1 of 1680 voxels are NaN or infinite"),
    "an infinite voxel": (array(with_voxel(np.inf)), "1 of 1680 voxels are NaN or infinite"),
    "a voxel beyond float32": (array(with_voxel(1).astype(np.float64) * 1e300), "NaN or infinite"),
    "another shape": (array(np.ones((12, 14, 9), np.int16)), "must share one grid"),
    "another place": (array(np.ones(SHAPE, np.int16), moved(7)), "lies up to 7.0 mm off"),
    "a mirrored affine": (array(np.ones(SHAPE, np.int16), np.diag([-1.0, 1, 2, 1])), "must share one grid"),
}
LABELS = {
    "a label of 1.5": (array(with_label(1.5)), "expected whole numbers in a label map, found 1.5"),
    "a label that is no number": (array(with_label(np.nan)), "expected whole numbers in a label map, found nan"),
    "an infinite label": (array(with_label(np.inf)), "in a label map, found inf"),
    "a label of 1e12": (array(with_label(1e12)), "expected small whole numbers"),
    "a label that nobody explained": (array(with_label(7)), "found 7 (1 voxels)"),
    "a negative label": (array(with_label(-1)), "found -1 (1 voxels)"),
    "an image as the label map": (
        array(np.random.default_rng(0).integers(50, 99, SHAPE).astype(np.int16)),
        "expected the label values [0, 1, 2]",
    ),
    "labels on another grid": (array(np.zeros((6, 7, 5), np.uint8)), "must share one grid"),
    "a bomb of labels": (bomb(np.uint8, 1024, 512, 512), "made to fill the memory"),
    "a bomb of wide labels": (bomb(np.float64, 512, 512, 512), "made to fill the memory"),
}
LINKS = {
    "a link to /etc/passwd": (linked("/etc/passwd"), "leads out of"),
    "a link to /dev/zero": (linked("/dev/zero"), "leads out of"),
    "a link by ..": (linked("../../../secret.nii.gz"), "and nothing is there"),
    "a link to itself": (linked("t2.nii.gz"), "cannot be followed"),
    "a link to nothing": (linked("nothing.nii.gz"), "and nothing is there"),
    "a folder in place of a file": (folder_instead, "t2"),
    "a pipe in place of a file": (pipe_instead, "expected a file at"),
}
NAMES: dict[str, tuple[str | bytes, str]] = {
    "quotes": ('it\'s "a" `case` $(touch x)', 'it\'s "a"'),
    "a new line": ("one\ntwo", "control characters"),
    "HTML": ("<img src=x onerror=alert(1)>", "<img"),
    "rich's markup": ("[bold red]x[link=file:", "[bold red]x[link=file:"),
    "letters of all kinds": ("病例 Ω é\u202e\u200b", "病例"),
    "bytes that are no text": (b"caf\xe9", "caf\\udce9"),
    "commands to the terminal": ("\x1b[2J\x1b]0;owned\x07x", "control characters"),
    "a name of 200 letters": ("n" * 200, "nnnn"),
}
ACCEPTED = {
    "labels of 1.00002": (array(ball() * 1.00002), SEG, "rounded to whole numbers"),
    "more behind the voxels": (inflated(lambda content: content + bytes(999)), T2, "goes on after the voxels"),
    "4 GiB of zeros behind the voxels": (bytes_of(zeros_behind(4096)), T2, "goes on after the voxels"),
    "an image of zeros": (array(np.zeros(SHAPE, np.int16)), T2, "every voxel is 0"),
    "an image of one value": (array(np.full(SHAPE, 4, np.int16)), T2, "every voxel that is not 0 is 4"),
}


def flat(work: Path) -> Sequence[object]:
    """Single slices stored as (H, W, 1), (H, W) and (H, W, 1, 1)."""
    home = data_set(work)
    one = np.random.default_rng(0).integers(50, 99, (12, 14)).astype(np.int16)
    save(home / "t1.nii.gz", one[..., None])
    save(home / "t2.nii.gz", one[..., None, None])
    save(home / "seg.nii.gz", (one > 90).astype(np.uint8))
    return INSPECT


def unplaced(work: Path) -> Sequence[object]:
    """No file of the case says how it lies."""
    for path in data_set(work).iterdir():
        header(sform_code=0, qform_code=0)(path)
    return INSPECT


BAD_IMAGES = [
    *(Bad(name, after(change), ("t2.nii.gz", says)) for name, (change, says) in {**HEADERS, **STREAMS}.items()),
    *(Bad(name, after(change), ("t2.nii.gz", says)) for name, (change, says) in VOXELS.items()),
    *(Bad(name, after(change, SEG), ("seg.nii.gz", says)) for name, (change, says) in LABELS.items()),
    *(Bad(name, after(change), (says,)) for name, (change, says) in LINKS.items()),
    *(Bad(f"a name with {name}", named(text), (says,)) for name, (text, says) in NAMES.items()),
    Bad("a linked folder that leads out", linked_folder, ("leads out of",)),
    Bad("one examination under two names", twice, ("voxel for voxel that of case a",)),
    Bad("no label map", without("seg.nii.gz"), ("lacks its label map; add it",)),
    Bad("labels alone", without("t1.nii.gz", "t2.nii.gz"), ("expected folders with files such as",)),
    Bad("no such folder", lambda _: INSPECT, ("expected data at", "found nothing")),
    *(Bad(name, after(change, file), (says,), 0) for name, (change, file, says) in ACCEPTED.items()),
    Bad("no orientation", unplaced, ("gives no orientation",), 0),
    Bad("slices stored in two, three and four dimensions", flat, ("12 x 14 x 1",), 0),
]
