"""The picture of one test case: its slice as an image and the outlines of target and prediction as vector paths.

Images become data URIs (WebP, quality 85: for looking, not for measuring); outlines are SVG paths, so that they stay
sharp, can be dashed, and can be switched off one by one without a second image.
"""

import base64
import io
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from mrfusion.run_folder.pictures import Slice

WIDEST = 384  # pixels of an embedded image; outlines keep their full resolution


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
