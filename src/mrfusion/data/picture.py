"""PNG files: what a file claims is checked before memory is asked for it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrfusion.data.nifti.header import check_regular
from mrfusion.errors import CaseError, reason

MAX_PIXELS = 2**26  # 8192 x 8192
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_picture(path: Path) -> tuple[str, NDArray[Any]]:
    """Pillow's mode of a PNG file and its pixels (rows, columns) or (rows, columns, channels); CaseError otherwise."""
    check_regular(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(24)
        if not head.startswith(_SIGNATURE):
            raise ValueError(f"it begins with {head[:16]!r}")
        width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
        if width * height > MAX_PIXELS:
            raise ValueError(f"it announces {width} x {height} pixels, more than {MAX_PIXELS}")
        with Image.open(path) as picture:
            return picture.mode, np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CaseError(f"expected a PNG file at {path}, found: {reason(error)}; fetch or write it again") from None
