"""Small volumes of a few test cases for the page's viewer: read, and packed into pictures that a browser unpacks.

A volume becomes one tall picture, X wide and Z * Y high, so that pixel number (z * Y + y) * X + x is voxel (x, y, z).
Intensities are WebP (for looking, not for measuring), masks PNG (exact, a bit a region). Nothing is fetched: the
pictures are ``data:`` addresses that the browser decodes by itself.

Why not NiiVue: its 0.69.0 is 2.3 MB of JavaScript that has to be vendored (there is no Python package of it), wants
WebGL 2, workers and WebAssembly, which this page's Content-Security-Policy would have to let in, and draws nothing in a
browser without a GPU. Three planes of grey values with two masks are 150 lines on a canvas.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from mrfusion.errors import InputError
from mrfusion.run_folder.arrays import stored_arrays

_KEYS = ("case", "modalities", "images", "regions", "target", "prediction", "spacing_mm")
TALLEST = 16_383  # pixels of a WebP


@dataclass(frozen=True)
class Volume:
    """One case as a run keeps it, RAS+: images [M, X, Y, Z], masks [X, Y, Z] with bit r for region r."""

    case: str
    modalities: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    regions: tuple[str, ...]
    target: npt.NDArray[np.uint8]
    prediction: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]


def read_volume(path: Path) -> Volume:
    """Read ``volumes/<n>.npz``; InputError that names the file where it is broken or of another form."""
    with stored_arrays(path, _KEYS, "volume") as found:
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
    _check(loaded, path)
    return loaded


def image_uri(image: npt.NDArray[np.uint8]) -> str:
    """Intensities [X, Y, Z] as a ``data:`` address."""
    stream = io.BytesIO()
    _tall(image).save(stream, "WEBP", quality=60, method=2)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def mask_uri(mask: npt.NDArray[np.uint8]) -> str:
    """A bit mask [X, Y, Z] as a ``data:`` address, every bit kept."""
    stream = io.BytesIO()
    _tall(mask).save(stream, "PNG", optimize=False)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _tall(volume: npt.NDArray[np.uint8]) -> Image.Image:
    rows = volume.transpose(2, 1, 0)
    return Image.fromarray(np.ascontiguousarray(rows.reshape(-1, rows.shape[2])))


def _check(loaded: Volume, path: Path) -> None:
    grid = loaded.target.shape
    shapes = (loaded.images.shape, grid, loaded.prediction.shape)
    right = len(grid) == 3 and shapes == ((len(loaded.modalities), *grid), grid, grid) and 0 not in grid
    if not right or not loaded.modalities or grid[1] * grid[2] > TALLEST or min(loaded.spacing_mm) <= 0:
        raise InputError(f"expected images and masks of one small grid at {path}, found shapes {shapes}")
