"""One case in memory: its modalities and labels on one grid, RAS+, millimetres, float32."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case
from mrfusion.data.grid import Grid
from mrfusion.data.label_map import index_labels
from mrfusion.data.nifti.header import Header, check_plausible, read_header
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.nifti.voxels import Image, read_channels, read_image
from mrfusion.errors import CaseError


class Resampler(Protocol):
    """Brings (..., X, Y, Z) from the grid that ``affine`` describes onto another; zero outside what was seen."""

    def __call__(
        self, array: NDArray[Any], affine: NDArray[np.float64], *, onto: Grid, labels: bool
    ) -> NDArray[Any]: ...


@dataclass(frozen=True, eq=False)
class Volume:
    """``images_MXYZ`` float32 in the order of ``modalities``; ``labels_XYZ`` uint8, 0 background, i + 1 for the i-th
    of the cohort's label values, None if the case has no label map; ``notes`` says what was put up with in reading.
    """

    modalities: tuple[str, ...]
    images_MXYZ: NDArray[np.float32]  # noqa: N815
    labels_XYZ: NDArray[np.uint8] | None  # noqa: N815
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> Grid:
        x, y, z = self.images_MXYZ.shape[1:]
        return Grid((x, y, z), self.affine)


@dataclass(frozen=True)
class Target:
    """The modality whose grid all others of the case are brought to, and the function that does it."""

    modality: str
    resample: Resampler


def read_volume(
    case: Case, modalities: Sequence[str], label_values: Sequence[int], *, onto: Target | None = None
) -> Volume:
    """Read the modalities of ``case`` among ``modalities``, in that order, and its label map.

    A modality that the case lacks is left out (``Volume.modalities`` says which are there). All must share a grid,
    unless ``onto`` names the modality to resample to (labels are not blended); the resampler is given by the
    caller, because the one there is (:mod:`mrfusion.data.resample`) imports MONAI. Raises CaseError.
    """
    there = tuple(name for name in modalities if name in case.images)
    if not there:
        raise CaseError(
            f"case {case.id}: expected at least one of the modalities {', '.join(modalities)}, found "
            f"{', '.join(case.images) or 'none'}; add a file, or drop the case"
        )
    paths = {name: case.images[name] for name in there} | ({"label map": case.label_map} if case.label_map else {})
    _check_headers(case, paths, onto)
    images = read_images(case, there)
    labels = None if case.label_map is None else index_labels(read_labels(case.label_map), case, label_values)
    read = {**images, "label map": labels} if labels else images
    if onto:
        read = _bring(case, read, onto)
    first = read[there[0]].grid
    read = {name: image.fitted(first) for name, image in read.items()}
    return Volume(
        there,
        np.stack([read[name].array for name in there]).astype(np.float32, copy=False),
        read["label map"].array.astype(np.uint8, copy=False) if labels else None,
        first.affine,
        first.spacing_mm,
        tuple(dict.fromkeys(note for image in read.values() for note in image.notes)),
    )


def read_images(case: Case, names: Sequence[str]) -> dict[str, Image]:
    """Every file once, whatever number of modalities it holds."""
    images: dict[str, Image] = {}
    for name in names:
        path = case.images[name]
        if name in images:
            continue
        if name not in case.channels:
            images[name] = read_image(path)
            continue
        together = [other for other in names if case.images[other] == path and other in case.channels]
        images |= zip(together, read_channels(path, [case.channels[other] for other in together]), strict=True)
    return images


def _bring(case: Case, read: dict[str, Image], onto: Target) -> dict[str, Image]:
    if onto.modality not in read:
        raise CaseError(
            f"case {case.id}: {onto.modality} is absent, to which resample_to brings the others; drop the case"
        )
    grid = read[onto.modality].grid
    moved = {}
    for name, image in read.items():
        if grid.covers(image.grid):
            moved[name] = image.fitted(grid)
        else:
            array = onto.resample(image.array, image.affine, onto=grid, labels=name == "label map")
            note = f"{image.path.name}: resampled from {image.array.shape} to the grid of {onto.modality} {grid.shape}"
            moved[name] = Image(image.path, array, grid.affine, (*image.notes, note))
    return moved


def _check_headers(case: Case, paths: Mapping[str, Path], onto: Target | None) -> None:
    """Whether the files fit together and into memory, before a voxel is read."""
    headers = {name: read_header(path, many=name in case.channels) for name, path in paths.items()}
    once = {header.path: header for header in headers.values()}.values()
    if onto:
        target = headers.get(onto.modality)
        check_plausible(once, voxels=len(headers) * math.prod(target.shape) if target else 0)
        return
    grids = {}
    for name, header in headers.items():
        (x, y, z), affine = header.turned
        grids[name] = Grid((x, y, z), affine)
    _check_same_grid(case, headers, grids)
    check_plausible(once)


def _check_same_grid(case: Case, headers: Mapping[str, Header], grids: Mapping[str, Grid]) -> None:
    first, *_ = grids
    lost = [headers[name].path.name for name in grids if not headers[name].oriented]
    grid = grids[first]
    for name, other in grids.items():
        if grid.covers(other):
            continue
        found = f"{_describe(grid)} but {name} is {_describe(other)}"
        if other.shape == grid.shape:
            found = f"{_describe(grid)}, and {name} has this shape but lies up to {grid.offset_mm(other):.1f} mm off"
        cure = (
            f"The header of {lost[0]} does not say how its axes lie in the world; write into it the orientation that "
            "the image was made with"
            if lost
            else f"resample_to: {_best_target(grids)} would bring them together; or mend the file"
        )
        raise CaseError(
            f"case {case.id}: {first} is {found} ({headers[name].path}); all modalities must share one grid. "
            f"{cure}, or drop the case"
        )


def _best_target(grids: Mapping[str, Grid]) -> str:
    """The modality that shares the labels' grid (labels are better not interpolated), or else the first."""
    names = [name for name in grids if name != "label map"]
    if "label map" in grids:
        names.sort(key=lambda name: not grids[name].same(grids["label map"]))
    return names[0]


def _describe(grid: Grid) -> str:
    spacing = " x ".join(f"{s:.3g}" for s in grid.spacing_mm)
    return f"{grid.shape} at {spacing} mm"
