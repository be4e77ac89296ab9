"""Scores of fused images: folders of PNG files in, one number a row out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.data.picture import read_picture
from mrfusion.errors import CaseError
from mrfusion.image_metrics._images import Convention, FusedImages
from mrfusion.result import CaseScore, Value

FAMILY = "image_metrics"
REGION = "*"
HIGHEST = {"L": 255, "I": 65535, "I;16": 65535, "I;16B": 65535, "I;16L": 65535}

Range = tuple[float, float]
Grey = tuple[NDArray[np.float64], Range]


def score_images(
    fused_dir: Path,
    sources: Mapping[str, Path],
    *,
    metrics: Sequence[str] | None = None,
    data_range: Range | None = None,
    convention: Convention = "exact",
    progress: Callable[[int, int, str], None] | None = None,
) -> list[CaseScore]:
    """Every metric of every PNG file of ``fused_dir``, against the file of the same name in each folder of ``sources``.

    ``metrics`` are named as in ``families.load`` (all of the family if None). ``data_range`` is what the files can
    hold, (0, 255) or (0, 65535), unless stated. A score's case is the file's name without its ending, its region "*".
    Raises CaseError that names the file where one is missing, has colours or another shape than its partners.
    """
    names = families.names(FAMILY) if metrics is None else metrics
    readers = {str(families.parse(name)): families.load(FAMILY, name) for name in names}
    paths = sorted(path for path in fused_dir.glob("*") if path.suffix.lower() == ".png")
    if not paths:
        raise CaseError(f"expected fused images as PNG files in {fused_dir}, found none")
    scores: list[CaseScore] = []
    for done, path in enumerate(paths):
        if progress:
            progress(done, len(paths), path.stem)
        images = read_images(path, sources, data_range=data_range, convention=convention)
        scores += score_image(path.stem, images, readers=readers)
    if progress:
        progress(len(paths), len(paths), "")
    return scores


def score_image(
    case_id: str, images: FusedImages, *, readers: Mapping[str, Callable[[FusedImages], Value]]
) -> list[CaseScore]:
    """What each of the loaded metrics says of one fused image."""
    return [read(images).of(case_id, REGION, name) for name, read in readers.items()]


def read_images(
    fused: Path, sources: Mapping[str, Path], *, data_range: Range | None = None, convention: Convention = "exact"
) -> FusedImages:
    """A fused image and the files of its name in the source folders; CaseError if they do not fit together."""
    image, held = read_grey(fused)
    read = {name: read_grey(folder / fused.name) for name, folder in sources.items()}
    ranges = {"fused": held, **{name: partner for name, (_, partner) in read.items()}}
    if data_range is None and len(set(ranges.values())) > 1:
        raise CaseError(f"{fused}: the files have different ranges, {ranges}; store them alike or state data_range")
    try:
        return FusedImages(image, {name: grey for name, (grey, _) in read.items()}, data_range or held, convention)
    except CaseError as error:
        raise CaseError(f"{fused}: {error}") from None


def read_grey(path: Path) -> Grey:
    """A grey PNG file as floats and the range its type can hold; three equal channels count as grey."""
    mode, values = read_picture(path)
    if mode == "RGB" and (values == values[..., :1]).all():
        mode, values = "L", values[..., 0]
    if mode not in HIGHEST:
        raise CaseError(f"expected a grey image of 8 or 16 bits at {path}, found mode {mode}; convert it to grey first")
    return values.astype(np.float64), (0.0, float(HIGHEST[mode]))
