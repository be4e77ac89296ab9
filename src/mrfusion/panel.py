"""Panels: one slice of a test case as a picture needs it, kept with the run so that a report needs no data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion.data.slice_view import grey, upright
from mrfusion.result import writing


@dataclass(frozen=True)
class Panel:
    """A case on its prepared grid, slices first: images (S, M, H, W), masks (R, S, H, W).

    ``spacing_mm`` is in the same order (S, H, W).
    """

    case: str
    modalities: tuple[str, ...]
    images: NDArray[np.floating]
    regions: tuple[str, ...]
    target: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def write_panel(path: Path, panel: Panel) -> None:
    """The slice with the largest target (or prediction, or the middle one), intensities in 0-255, anterior up.

    Keys: case, modalities, images (M, H, W), regions, target and prediction (R, H, W), pixel_mm (row, column), index.
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


def _telling_slice(panel: Panel) -> int:
    for masks in (panel.target, panel.prediction):
        area = masks.sum((0, 2, 3))
        if area.any():
            return int(area.argmax())
    return int(panel.target.shape[1]) // 2
