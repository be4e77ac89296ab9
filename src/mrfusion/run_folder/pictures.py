"""A test case as pictures need it, one slice or a small volume, kept so that a report needs no data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion.errors import InputError
from mrfusion.run_folder.arrays import stored_arrays, write_arrays
from mrfusion.run_folder.slice_view import grey, upright

SLICE_KEYS = ("case", "modalities", "images", "regions", "target", "prediction", "pixel_mm", "index")
VOLUME_KEYS = ("case", "modalities", "images", "regions", "target", "prediction", "spacing_mm")
LONGEST = 96  # grid points of a kept volume; a step is skipped until it fits
MOST_REGIONS = 8  # a bit each
TALLEST = 16_383  # rows of all slices together: pixels of the picture that a report makes of a volume


@dataclass(frozen=True)
class Panel:
    """A case on its prepared grid, slices first: images (S, M, H, W), masks (R, S, H, W).

    ``spacing_mm`` is in the same order (S, H, W); ``slice_axis`` is the RAS+ axis that the slices follow.
    """

    case: str
    modalities: tuple[str, ...]
    images: NDArray[np.floating]
    regions: tuple[str, ...]
    target: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]
    slice_axis: int = 2


@dataclass(frozen=True)
class Slice:
    """One slice as a run leaves it, rows from the top: images [M, H, W], masks [R, H, W] in the order of regions.

    ``pixel_mm`` is (height, width) of a pixel; ``index`` the slice's place in its volume.
    """

    case: str
    modalities: tuple[str, ...]
    images: NDArray[np.uint8]
    regions: tuple[str, ...]
    target: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    pixel_mm: tuple[float, float]
    index: int

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the picture in mm."""
        height, width = self.images.shape[1:]
        return width * self.pixel_mm[1], height * self.pixel_mm[0]

    @property
    def box_mm(self) -> tuple[float, float, float, float]:
        """Left, top, width and height in mm of the part that is not black, with a margin of four pixels."""
        rows, columns = (np.flatnonzero((self.images > 12).any(axis=axes)) for axes in ((0, 2), (0, 1)))
        spans = [_span(rows, self.images.shape[1]), _span(columns, self.images.shape[2])]
        (top, height), (left, width) = spans
        return left * self.pixel_mm[1], top * self.pixel_mm[0], width * self.pixel_mm[1], height * self.pixel_mm[0]


@dataclass(frozen=True)
class Volume:
    """One case as a run keeps it, RAS+: images [M, X, Y, Z], masks [X, Y, Z] with bit r for region r."""

    case: str
    modalities: tuple[str, ...]
    images: NDArray[np.uint8]
    regions: tuple[str, ...]
    target: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]


def write_panel(path: Path, panel: Panel) -> int:
    """The slice with the largest target (or prediction, or the middle one), intensities in 0-255, anterior up.

    Keys: case, modalities, images (M, H, W), regions, target and prediction (R, H, W), pixel_mm (row, column), index;
    the last is returned.
    """
    index = _telling_slice(panel)
    images = np.stack([grey(upright(i)) for i in np.asarray(panel.images[index], np.float32)])
    write_arrays(
        path,
        case=np.array(panel.case),
        modalities=np.array(panel.modalities),
        images=images,
        regions=np.array(panel.regions),
        target=upright(panel.target[:, index]).astype(np.uint8),
        prediction=upright(panel.prediction[:, index]).astype(np.uint8),
        pixel_mm=np.array([panel.spacing_mm[2], panel.spacing_mm[1]]),
        index=np.array(index),
    )
    return index


def write_volume(path: Path, panel: Panel) -> None:
    """The whole case in RAS+ order (X, Y, Z), thinned to at most :data:`LONGEST` points a side.

    Keys: case, modalities, images (M, X, Y, Z) in 0-255, regions (the first eight), target and prediction (X, Y, Z)
    with bit r set where region r is, spacing_mm of the thinned grid.
    """
    steps = tuple(-(-n // LONGEST) for n in panel.target.shape[1:])
    thin = (slice(None), *(slice(None, None, step) for step in steps))
    images = [grey(i) for i in np.asarray(np.moveaxis(panel.images, 1, 0)[thin], np.float32)]
    axis = panel.slice_axis
    write_arrays(
        path,
        case=np.array(panel.case),
        modalities=np.array(panel.modalities),
        images=np.moveaxis(np.stack(images), 1, 1 + axis),
        regions=np.array(panel.regions[:MOST_REGIONS]),
        target=np.moveaxis(_bits(panel.target[thin]), 0, axis),
        prediction=np.moveaxis(_bits(panel.prediction[thin]), 0, axis),
        spacing_mm=np.multiply(panel.spacing_mm, steps)[_order(axis)],
    )


def read_slice(path: Path) -> Slice:
    """Read ``slices/<n>.npz``; InputError that names the file where it is broken or of another form."""
    with stored_arrays(path, SLICE_KEYS, "slice") as found:
        loaded = Slice(
            case=str(found["case"]),
            modalities=tuple(str(name) for name in found["modalities"]),
            images=found["images"].astype(np.uint8),
            regions=tuple(str(name) for name in found["regions"]),
            target=found["target"].astype(np.uint8),
            prediction=found["prediction"].astype(np.uint8),
            pixel_mm=(float(found["pixel_mm"][0]), float(found["pixel_mm"][1])),
            index=int(found["index"]),
        )
    _check_slice(loaded, path)
    return loaded


def read_volume(path: Path) -> Volume:
    """Read ``volumes/<n>.npz``; InputError that names the file where it is broken or of another form."""
    with stored_arrays(path, VOLUME_KEYS, "volume") as found:
        x, y, z = (float(s) for s in found["spacing_mm"])
        loaded = Volume(
            case=str(found["case"]),
            modalities=tuple(str(name) for name in found["modalities"]),
            images=found["images"].astype(np.uint8),
            regions=tuple(str(name) for name in found["regions"]),
            target=found["target"].astype(np.uint8),
            prediction=found["prediction"].astype(np.uint8),
            spacing_mm=(x, y, z),
        )
    _check_volume(loaded, path)
    return loaded


def _bits(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    bits = np.zeros(masks.shape[1:], np.uint8)
    for place, mask in enumerate(masks[:MOST_REGIONS]):
        bits |= mask.astype(np.uint8) << np.uint8(place)
    return bits


def _order(axis: int) -> list[int]:
    """Where the axes X, Y, Z stand in (S, H, W)."""
    order = [1, 2]
    order.insert(axis, 0)
    return order


def _telling_slice(panel: Panel) -> int:
    for masks in (panel.target, panel.prediction):
        area = masks.sum((0, 2, 3))
        if area.any():
            return int(area.argmax())
    return int(panel.target.shape[1]) // 2


def _span(places: NDArray[np.intp], size: int) -> tuple[int, int]:
    """Start and length of the places with their margin; everything where there are none."""
    if places.size == 0:
        return 0, size
    first, last = max(0, int(places[0]) - 4), min(size, int(places[-1]) + 5)
    return first, last - first


def _check_slice(loaded: Slice, path: Path) -> None:
    shapes = (loaded.images.shape, loaded.target.shape, loaded.prediction.shape)
    grid = shapes[0][-2:]
    expected = ((len(loaded.modalities), *grid), (len(loaded.regions), *grid), (len(loaded.regions), *grid))
    if shapes != expected or len(grid) != 2 or not loaded.modalities or 0 in grid or min(loaded.pixel_mm) <= 0:
        raise InputError(f"expected images, target and prediction of one size at {path}, found shapes {shapes}")


def _check_volume(loaded: Volume, path: Path) -> None:
    grid = loaded.target.shape
    shapes = (loaded.images.shape, grid, loaded.prediction.shape)
    right = len(grid) == 3 and shapes == ((len(loaded.modalities), *grid), grid, grid) and 0 not in grid
    if not right or not loaded.modalities or grid[1] * grid[2] > TALLEST or min(loaded.spacing_mm) <= 0:
        raise InputError(f"expected images and masks of one small grid at {path}, found shapes {shapes}")
