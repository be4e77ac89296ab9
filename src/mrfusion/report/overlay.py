"""The picture of one test case: its slice as an image and the outlines of target and prediction as vector paths.

Images become data URIs (WebP, quality 85: for looking, not for measuring); outlines are SVG paths, so that they stay
sharp, can be dashed, and can be switched off one by one without a second image.
"""

import base64
import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from mrfusion.errors import InputError
from mrfusion.run_folder.arrays import stored_arrays

WIDEST = 384  # pixels of an embedded image; outlines keep their full resolution
_KEYS = ("case", "modalities", "images", "regions", "target", "prediction", "pixel_mm", "index")


@dataclass(frozen=True)
class Slice:
    """One slice as a run leaves it, rows from the top: images [M, H, W], masks [R, H, W] in the order of regions.

    ``pixel_mm`` is (height, width) of a pixel; ``index`` the slice's place in its volume.
    """

    case: str
    modalities: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    regions: tuple[str, ...]
    target: npt.NDArray[np.uint8]
    prediction: npt.NDArray[np.uint8]
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


def read_slice(path: Path) -> Slice:
    """Read ``slices/<n>.npz``; InputError that names the file where it is broken or of another form."""
    with stored_arrays(path, _KEYS, "slice") as found:
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
    _check(loaded, path)
    return loaded


def data_uri(image: npt.NDArray[np.uint8]) -> str:
    """A grey image [H, W] as a ``data:`` address, made smaller where it is wider than the page shows."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def contrast(picture: Slice) -> dict[str, float]:
    """Modality to how far, in grey levels, the target lies from the rest of the body; empty without a target."""
    inside = (picture.target != 0).any(axis=0)
    outside = (picture.images > 12).any(axis=0) & ~inside
    if not inside.any() or not outside.any():
        return {}
    pairs = zip(picture.modalities, picture.images, strict=True)
    return {name: abs(float(image[inside].mean() - image[outside].mean())) for name, image in pairs}


def outline(mask: npt.NDArray[np.uint8]) -> str:
    """The borders of a mask [H, W] as an SVG path in half pixels; empty for an empty mask.

    Each loop runs through the middles of the pixel edges between inside and outside, which rounds every step.
    """
    return "".join(_path(loop) for loop in _loops(mask != 0))


def _span(places: npt.NDArray[np.intp], size: int) -> tuple[int, int]:
    """Start and length of the places with their margin; everything where there are none."""
    if places.size == 0:
        return 0, size
    first, last = max(0, int(places[0]) - 4), min(size, int(places[-1]) + 5)
    return first, last - first


def _check(loaded: Slice, path: Path) -> None:
    shapes = (loaded.images.shape, loaded.target.shape, loaded.prediction.shape)
    grid = shapes[0][-2:]
    expected = ((len(loaded.modalities), *grid), (len(loaded.regions), *grid), (len(loaded.regions), *grid))
    if shapes != expected or len(grid) != 2 or not loaded.modalities or 0 in grid or min(loaded.pixel_mm) <= 0:
        raise InputError(f"expected images, target and prediction of one size at {path}, found shapes {shapes}")


def _loops(mask: npt.NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed chains of grid corners (x, y) around the mask, clockwise."""
    following = _edges(mask)
    loops = []
    while following:
        start = corner = next(iter(following))
        loop = []
        while corner in following:
            loop.append(corner)
            ends = following[corner]
            after = ends.pop()
            if not ends:
                del following[corner]
            corner = after
        if corner == start:
            loops.append(loop)
    return loops


def _edges(mask: npt.NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Corner to the corners that follow it, the inside on the right hand."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    sides = (  # (pixels whose neighbour on this side is outside, first corner, second corner) as (x, y) offsets
        (inside & ~padded[:-2, 1:-1], (0, 0), (1, 0)),
        (inside & ~padded[1:-1, 2:], (1, 0), (1, 1)),
        (inside & ~padded[2:, 1:-1], (1, 1), (0, 1)),
        (inside & ~padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pixels, (ax, ay), (bx, by) in sides:
        for y, x in np.argwhere(pixels).tolist():
            following.setdefault((x + ax, y + ay), []).append((x + bx, y + by))
    return following


def _path(loop: list[tuple[int, int]]) -> str:
    """The loop through the middles of its edges, straight runs merged, as relative whole steps in half pixels."""
    middles = [(ax + bx, ay + by) for (ax, ay), (bx, by) in zip(loop, loop[1:] + loop[:1], strict=True)]
    steps: list[tuple[int, int]] = []
    for (ax, ay), (bx, by) in pairwise(middles):
        step = (bx - ax, by - ay)
        if steps and _parallel(steps[-1], step):
            steps[-1] = (steps[-1][0] + step[0], steps[-1][1] + step[1])
        else:
            steps.append(step)
    return f"M{middles[0][0]} {middles[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps) + "z"


def _parallel(first: tuple[int, int], second: tuple[int, int]) -> bool:
    cross = first[0] * second[1] - first[1] * second[0]
    return cross == 0 and first[0] * second[0] + first[1] * second[1] > 0
