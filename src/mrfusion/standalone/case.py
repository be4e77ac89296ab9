"""Reads a case as the exported network beside this file wants it, and paints its answer; mrfusion is not needed.

    python case.py --out predicted t1c=P1-t1c.nii.gz t2f=P1-t2f.nii.gz

writes the label map of one case (or prints the probabilities of its classes). What each step does and with which
numbers stands in model.json. Needed: numpy, nibabel, scipy, and onnxruntime for model.onnx or torch for model.ts; monai
too where model.json asks for `resample_to`, or for `spacing_mm` with linear interpolation.
"""

import argparse
import importlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from mrfusion.case import Region
from mrfusion.data.grid import Grid
from mrfusion.data.label_map import paint_regions
from mrfusion.data.prepare import Placement, prepare
from mrfusion.data.volume import Resampler, Volume
from mrfusion.standalone.windows import mirrored, padded, windows

Network = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
RAS = np.array([[0, 1], [1, 1], [2, 1]])


class Scale(NamedTuple):
    """A fixed scale of a modality's numbers."""

    low: float
    high: float
    mean: float
    sd: float


@dataclass(frozen=True)
class ReadCase:
    """``images`` (S, M, H, W) of all modalities in their order, zero where one is absent; ``present`` says which are
    there; ``slices`` is the range that is answered; ``reference`` the file in whose grid the answer is written."""

    images: NDArray[np.float32]
    present: tuple[bool, ...]
    names: tuple[str, ...]
    slices: tuple[int, int]
    placement: Placement
    reference: Path


def read_statement(path: Path | str) -> dict[str, Any]:
    """model.json."""
    return dict(json.loads(Path(path).read_text(encoding="utf-8")))


def read_case(files: Mapping[str, Path | str], statement: Mapping[str, Any]) -> ReadCase:
    """A case from a NIfTI file for each of its modalities; ValueError where something needed is absent."""
    asked, preparation = statement["modalities"], statement["preparation"]
    names = tuple(name for name in asked if name in files)
    absent = [name for name in asked if name not in files]
    if not names or (absent and not all(name in statement["may_be_absent"] for name in absent)):
        raise ValueError(f"expected files of {', '.join(asked)}, found {', '.join(names) or 'none'}")
    target = preparation["resample_to"]
    read = {name: _read(Path(files[name])) for name in statement["read"] if name in files}
    first = read[target or names[0]][1]
    brought = [_brought(name, *read[name], onto=first, allowed=target is not None) for name in read]
    volume = Volume(tuple(read), np.stack(brought), None, first.affine, first.spacing_mm)
    linear = preparation["spacing_mm"] is not None and preparation["interpolation"] == "linear"
    arrays = prepare(
        volume,
        spacing_mm=preparation["spacing_mm"],
        crop=preparation["crop"],
        resample=_resampler() if linear else None,
        scaling={name: Scale(**scale) for name, scale in preparation["intensities"].items()},  # type: ignore[misc]
        whole_box=preparation["zscore"] == "box",
    )
    window = arrays.placement.window(names)
    stored = arrays.images[window[0]][:, [list(read).index(name) for name in names], window[1], window[2]]
    images = np.zeros((len(stored), len(asked), *stored.shape[2:]), np.float32)
    present = tuple(name in names for name in asked)
    images[:, np.array(present)] = stored
    extent = _range(arrays.placement, names, len(stored), statement["slices"])
    return ReadCase(images, present, names, extent, arrays.placement, Path(files[target or next(iter(read))]))


def logits_of(case: ReadCase, statement: Mapping[str, Any], network: Network) -> NDArray[np.float32]:
    """Logits (n, S, H, W) of the case's range of slices, or (n,) of its classes, of all members side by side."""
    (first, last), present = case.slices, np.array([case.present])
    size, steps = statement["window"], statement["multiple"]
    is_window = size[0] > 1 and not statement["answer"]["classes"]

    def answer(images: NDArray[np.float32]) -> NDArray[np.float32]:
        found = network(images if is_window else padded(images, steps), present)
        extent = images.shape[2:] if found.ndim == images.ndim else ()  # of classes nothing is cut off
        return found[(slice(None), slice(None), *(slice(n) for n in extent))]

    def answers(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(mirrored(answer, images, statement["mirror"])[0])

    if statement["answer"]["classes"]:
        thickness = size[0]
        starts = range(first, max(first + 1, last - thickness + 1), max(1, thickness // 2))
        parts = [np.moveaxis(case.images[start : start + thickness], 1, 0)[None] for start in starts]
        return np.asarray(np.mean([answers(part[:, :, 0] if thickness == 1 else part) for part in parts], 0))
    images = case.images[first:last]
    if is_window:
        return windows(np.moveaxis(images, 1, 0), size, lambda part: answers(part[None]))
    return np.stack([answers(one[None]) for one in images], 1)


def probabilities(logits: NDArray[np.float32], statement: Mapping[str, Any]) -> NDArray[np.float32]:
    """Of regions, labels or classes, (n, ..): the mean over the members."""
    each = logits.reshape(statement["members"], -1, *logits.shape[1:])
    if statement["answer"]["exclusive"]:
        powers = np.exp(each - each.max(1, keepdims=True))
        return np.asarray((powers / powers.sum(1, keepdims=True)).mean(0), np.float32)
    return np.asarray((1 / (1 + np.exp(-each))).mean(0), np.float32)


def masks_of(logits: NDArray[np.float32], statement: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Masks of the regions, (R, S, H, W): where a logit is above 0, or by the label of the highest logit."""
    answer, one = statement["answer"], statement["members"] == 1
    share = logits if one else probabilities(logits, statement)
    if not answer["exclusive"]:
        return np.asarray(share > (0 if one else 0.5))
    label = share.argmax(0)
    tables = [[False, *(value in labels for value in answer["label_values"])] for _, labels in answer["regions"]]
    return np.stack([np.array(table)[label] for table in tables])


def restored(masks: NDArray[np.bool_], case: ReadCase) -> NDArray[np.bool_]:
    """Masks of the answered slices on the grid of the case's files, (R, X, Y, Z) in RAS+ order."""
    placement, (first, last) = case.placement, case.slices
    every = np.zeros((len(masks), len(case.images), *masks.shape[2:]), bool)
    every[:, first:last] = masks
    whole = np.zeros((len(masks), *placement.grid.shape), bool)
    whole[(slice(None), *placement.box(case.names))] = every.transpose(0, *(np.argsort(placement.order) + 1))
    source, grid = placement.source, placement.grid
    if source.shape != grid.shape or not np.array_equal(source.affine, grid.affine):
        whole = _resampler()(whole, grid.affine, onto=source, labels=True).astype(bool)
    return whole


def write_answer(path: Path, masks: NDArray[np.bool_], case: ReadCase, statement: Mapping[str, Any]) -> list[Path]:
    """One label map of the regions at ``path``.nii.gz, or where none can hold them a mask a region; in the case's own
    grid."""
    answer, path = statement["answer"], Path(path)
    if not answer["one_label_map"]:
        return [_write(path.parent / f"{path.name}_{name}.nii.gz", mask.astype(np.uint8), case.reference)
                for (name, _), mask in zip(answer["regions"], masks, strict=True)]  # fmt: skip
    regions = [Region(name, frozenset(labels)) for name, labels in answer["regions"]]
    index = paint_regions(masks, regions, answer["label_values"])
    lookup = np.array([0, *answer["file_values"]], np.int64)
    kind = np.uint8 if lookup.max() < 2**8 else np.int16 if lookup.max() < 2**15 else np.int32
    return [_write(path.parent / f"{path.name}.nii.gz", lookup[index].astype(kind), case.reference)]


def predict_case(
    files: Mapping[str, Path | str], statement: Mapping[str, Any], network: Network, path: Path
) -> list[Path]:
    """Read a case, answer it, and write what :func:`write_answer` writes; of classes a small JSON file instead."""
    case = read_case(files, statement)
    logits = logits_of(case, statement, network)
    path.parent.mkdir(parents=True, exist_ok=True)
    if statement["answer"]["classes"]:
        each = zip(statement["answer"]["classes"], probabilities(logits, statement).tolist(), strict=True)
        written = path.parent / f"{path.name}.json"
        written.write_text(json.dumps(dict(each), indent=1) + "\n", encoding="utf-8")
        return [written]
    return write_answer(path, restored(masks_of(logits, statement), case), case, statement)


def predict_datalist(datalist: str, base: str, statement: Mapping[str, Any], network: Network, out: str) -> list[Path]:
    """Every case of a datalist as MONAI has it: {"testing": [{"id": .., "image": [file, ..]}]}.

    Files are relative to ``base``, in the order of the datalist's "modality" where it has one ({"0": "t1c", ..}), else
    in that of the statement; null stands for a modality that is absent. "training" and "validation" are read too.
    """
    content = json.loads(Path(datalist).read_text(encoding="utf-8"))
    order = list(content.get("modality", dict(enumerate(statement["read"]))).values())
    written = []
    for entry in itertools.chain(*(content.get(part, []) for part in ("training", "validation", "testing"))):
        files = {name: Path(base) / file for name, file in zip(order, entry["image"], strict=True) if file}
        written += predict_case(files, statement, network, Path(out) / str(entry["id"]))
    return written


def network_at(folder: Path) -> Network:
    """model.onnx by onnxruntime, or model.ts by torch."""
    if (folder / "model.onnx").is_file():
        session = importlib.import_module("onnxruntime").InferenceSession(str(folder / "model.onnx"))
        return lambda images, present: np.asarray(session.run(None, {"images": images, "present": present})[0])
    torch = importlib.import_module("torch")
    return torch_network(torch.jit.load(str(folder / "model.ts")).eval())


def torch_network(module: Any, device: str = "cpu") -> Network:
    """A module of torch as a function of arrays."""
    torch = importlib.import_module("torch")

    def answer(images: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
        with torch.inference_mode():
            given = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in (images, present))
            return np.asarray(module(*given).float().cpu().numpy())

    return answer


def _read(path: Path) -> tuple[NDArray[np.float32], Grid]:
    """Numbers in RAS+ order, and where they lie."""
    image: Any = nib.load(path)
    shape = (*image.shape, 1, 1)[:3]
    array = np.asarray(image.dataobj.get_unscaled()).reshape(shape).astype(np.float32)
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    if (slope, intercept) != (1.0, 0.0):
        array = array * np.float32(slope) + np.float32(intercept)
    orientation = io_orientation(image.affine)
    turned = np.ascontiguousarray(apply_orientation(array, orientation))
    x, y, z = turned.shape
    return turned, Grid((x, y, z), image.affine @ inv_ornt_aff(orientation, shape))


def _brought(name: str, array: NDArray[Any], grid: Grid, *, onto: Grid, allowed: bool) -> NDArray[np.float32]:
    if grid.same(onto):
        return array
    if onto.covers(grid):
        return np.ascontiguousarray(apply_orientation(array, grid.turned(onto)[0]))
    if not allowed:
        raise ValueError(f"{name} lies on another grid than the other modalities; resample it first")
    return np.asarray(_resampler()(array, grid.affine, onto=onto, labels=False))


def _resampler() -> Resampler:
    """From resample.py beside this file, which needs monai."""
    return importlib.import_module(f"{__package__}.resample" if __package__ else "resample").resample  # type: ignore[no-any-return]


def _range(
    placement: Placement, names: Sequence[str], extent: int, shares: tuple[float, float] | None
) -> tuple[int, int]:
    """The slices that lie in these shares of the whole depth; at least one."""
    depth, offset = placement.grid.shape[placement.slice_axis], placement.box(names)[placement.slice_axis].start
    low, high = shares or (0.0, 1.0)
    first = min(max(round(low * depth) - offset, 0), extent - 1)
    return first, min(max(round(high * depth) - offset, first + 1), extent)


def _write(path: Path, array: NDArray[Any], reference: Path) -> Path:
    like: Any = nib.load(reference)
    stored = apply_orientation(array, ornt_transform(RAS, io_orientation(like.affine)))
    header = like.header.copy()
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    nib.save(type(like)(stored.reshape(like.shape[:3]), None, header), path)
    return path


def main() -> None:
    """One case on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", required=True, help="folder for the answer")
    parser.add_argument("--name", default="label_map", help="name of the answer")
    parser.add_argument("files", nargs="+", help="MODALITY=FILE for each modality that the case has")
    given, here = parser.parse_args(), Path(__file__).parent
    files = dict(text.split("=", 1) for text in given.files)
    for path in predict_case(
        files, read_statement(here / "model.json"), network_at(here), Path(given.out) / given.name
    ):
        print(path)


if __name__ == "__main__":
    main()
