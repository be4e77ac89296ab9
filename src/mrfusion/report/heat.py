"""Maps of numbers as images: one colour scale that also the colour-blind can read, clear outside of the body."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

WIDEST = 192  # pixels of a tile
STOPS = ("00224e", "123570", "3b496c", "575d6d", "707173", "8a8678", "a59c74", "c3b369", "fee838")  # cividis


def heat_uri(values: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], span: tuple[float, float]) -> str:
    """A map [H, W] as a ``data:`` address; ``span`` is what is darkest and what is brightest."""
    low, high = span
    share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    colours = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in STOPS], np.float32)
    places = np.linspace(0, 1, len(STOPS))
    channels = [np.interp(share, places, colours[:, c]) for c in range(3)]
    picture = np.stack([*channels, np.where(body, 255, 0)], axis=-1).round().astype(np.uint8)
    return picture_uri(picture)


def span_of(values: npt.NDArray[np.float32], body: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The 1st and the 99th percentile of one map, or of several together, inside the body; 0 to 1 without one."""
    inside = values[..., body]
    low, high = np.percentile(inside, (1, 99)) if inside.size else (0.0, 1.0)
    return float(low), float(high)


def picture_uri(picture: npt.NDArray[np.uint8]) -> str:
    """An image [H, W] or [H, W, 4] as a ``data:`` address, made smaller where it is wider than a tile."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((WIDEST, WIDEST), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def gradient() -> str:
    """The scale as a CSS gradient, low on the left."""
    return f"linear-gradient(to right, {', '.join('#' + stop for stop in STOPS)})"
