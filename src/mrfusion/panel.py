"""Panels: one slice of a test case as a picture needs it, kept with the run so that a report needs no data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion.result import writing


@dataclass(frozen=True)
class Panel:
    """A case on its prepared grid, slices first: images (S, M, H, W), masks (R, S, H, W).

    ``slice_axis`` is the axis in RAS+ order that runs over slices; rows and columns are the two others in their order.
    """

    case: str
    modalities: tuple[str, ...]
    images: NDArray[np.floating]
    regions: tuple[str, ...]
    target: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]
    slice_axis: int


def write_panel(path: Path, panel: Panel) -> None:
    """The slice with the largest target (or prediction, or the middle one), intensities in 0-255, anterior up.

    Keys: case, modalities, images (M, H, W), regions, target and prediction (R, H, W), pixel_mm (row, column), index.
    """
    index = _telling_slice(panel)
    images = np.stack([_as_bytes(_upright(i, panel.slice_axis)) for i in np.asarray(panel.images[index], np.float32)])
    in_plane = [axis for axis in range(3) if axis != panel.slice_axis]
    with writing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            case=np.array(panel.case),
            modalities=np.array(panel.modalities),
            images=images,
            regions=np.array(panel.regions),
            target=_stack(panel.target[:, index], panel.slice_axis),
            prediction=_stack(panel.prediction[:, index], panel.slice_axis),
            pixel_mm=np.array([panel.spacing_mm[in_plane[1]], panel.spacing_mm[in_plane[0]]]),
            index=np.array(index),
        )


def _telling_slice(panel: Panel) -> int:
    for masks in (panel.target, panel.prediction):
        area = masks.sum((0, 2, 3))
        if area.any():
            return int(area.argmax())
    return panel.target.shape[1] // 2


def _upright(image: NDArray[np.generic], slice_axis: int) -> NDArray[np.generic]:
    """The second in-plane axis runs up; left and right are seen from the feet, as radiologists do."""
    turned = image.T[::-1]
    return turned if slice_axis == 0 else turned[:, ::-1]


def _stack(masks: NDArray[np.bool_], slice_axis: int) -> NDArray[np.uint8]:
    return np.stack([_upright(mask, slice_axis) for mask in masks]).astype(np.uint8)


def _as_bytes(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Between the 0.5th and 99.5th percentile of the non-zero points; background stays black."""
    values = np.asarray(image, np.float32)
    inside = values != 0
    if not inside.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[inside], (0.5, 99.5))
    scaled = 20 + 235 * (values - low) / max(float(high - low), 1e-6)
    return np.where(inside, np.clip(scaled, 20, 255), 0).astype(np.uint8)
