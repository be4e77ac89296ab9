"""Panels: a test case as pictures need it, one slice or a small volume, kept so that a report needs no data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion.files import writing
from mrfusion.run_folder.slice_view import grey, upright


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


LONGEST = 96  # grid points of a kept volume; a step is skipped until it fits
MOST_REGIONS = 8  # a bit each


def write_panel(path: Path, panel: Panel) -> int:
    """The slice with the largest target (or prediction, or the middle one), intensities in 0-255, anterior up.

    Keys: case, modalities, images (M, H, W), regions, target and prediction (R, H, W), pixel_mm (row, column), index;
    the last is returned.
    """
    index = _telling_slice(panel)
    images = np.stack([grey(upright(i)) for i in np.asarray(panel.images[index], np.float32)])
    with writing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
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
    with writing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            case=np.array(panel.case),
            modalities=np.array(panel.modalities),
            images=np.moveaxis(np.stack(images), 1, 1 + axis),
            regions=np.array(panel.regions[:MOST_REGIONS]),
            target=np.moveaxis(_bits(panel.target[thin]), 0, axis),
            prediction=np.moveaxis(_bits(panel.prediction[thin]), 0, axis),
            spacing_mm=np.multiply(panel.spacing_mm, steps)[_order(axis)],
        )


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
