"""The area of the surface inside a block of 2x2x2 voxels, for each of its 256 fillings and any voxel size."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Spacing = tuple[float, float, float]  # voxel size in mm along each axis

# The triangles of marching cubes for codes 0-127, as surface-distance (DeepMind, Apache-2.0) tabulates them: a letter
# is the triangle's normal in eighths, without signs, which do not change its area. A filling and its opposite have the
# same surface, so codes 128-255 are these backwards. The order of the letters is kept: sums then agree to the last bit.
_NORMALS = {
    "a": (1, 1, 1),
    "b": (2, 2, 2),
    "c": (3, 3, 3),
    "x": (4, 0, 0),
    "y": (0, 4, 0),
    "z": (0, 0, 4),
    "X": (0, 2, 2),
    "Y": (2, 0, 2),
    "Z": (2, 2, 0),
    "-": (0, 0, 0),
}
_TRIANGLES = (
    "- a a ZZ a YY aa xba a aa YY xba ZZ xba xba xx a XX aa yba aa zba aaa abba aa XXa YYa acXY aZZ cXaZ xaba xab a "
    "aa XX yab aa aYY XXa cXaY aa aaa zba bbaa aZZ xbaa XcaZ xba ZZ yba yab yy ZZa cYaZ ayba yba aZZ ybaa cZaY yba "
    "ZZZZ ZZa aZZ ZZ a aa aa aZZ XX zba XXa cXaZ aa aaa aYY xbaa yba bbaa YcXa xba YY zba aYY YcZa zba zz aabz abz "
    "YYa zbaa YYYY aYY YcZa zba aYY YY aa aaa aXX yaba XXa zbaa XXXX XXa aaa aaaa zbaa aaa ybaa aaa XXa aa xba baba "
    "cXaY yba cZXa abz aXX XX xbaa aaa YYa aa ZZa aa aa a"
)


def surfel_areas(spacing_mm: Spacing) -> NDArray[np.float64]:
    """Area in mm2 of the surface in a block, by the block's code (256,); 0 where the block is empty or full.

    The code's bits are the voxels (x-1, y-1, z-1) = 128, (x-1, y-1, z) = 64, ... (x, y, z) = 1.
    """
    a, b, c = (np.float64(s) for s in spacing_mm)
    face = {
        letter: np.linalg.norm([x / 8 * b * c, y / 8 * a * c, z / 8 * a * b]) for letter, (x, y, z) in _NORMALS.items()
    }
    half = [sum((face[letter] for letter in word), np.float64(0.0)) for word in _TRIANGLES.split()]
    return np.array(half + half[::-1])


@lru_cache(maxsize=16)
def ranked_areas(spacing_mm: Spacing) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The different areas, ascending, and for each code (256,) which of them is its own."""
    areas, rank = np.unique(surfel_areas(spacing_mm), return_inverse=True)
    return areas, rank.astype(np.uint8)
