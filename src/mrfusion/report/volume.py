"""Small volumes of a few test cases for the page's viewer, packed into pictures that a browser unpacks.

A volume becomes one tall picture, X wide and Z * Y high, so that pixel number (z * Y + y) * X + x is voxel (x, y, z).
Intensities are WebP (for looking, not for measuring), masks PNG (exact, a bit a region). Nothing is fetched: the
pictures are ``data:`` addresses that the browser decodes by itself.

Why not NiiVue: its 0.69.0 is 2.3 MB of JavaScript that has to be vendored (there is no Python package of it), wants
WebGL 2, workers and WebAssembly, which this page's Content-Security-Policy would have to let in, and draws nothing in a
browser without a GPU. Three planes of grey values with two masks are 150 lines on a canvas.
"""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image


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
