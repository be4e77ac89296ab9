"""The fused image of one slice after an epoch, beside the images that it was fused from, for a report to show."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mrfusion.run_folder.arrays import stored_arrays, write_arrays

_KEYS = ("names", "images", "sources", "source_images")


@dataclass(frozen=True)
class FusedSlice:
    """The fused images [F, H, W] and their sources [S, H, W], by name, in 0-255, rows from the top."""

    names: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    sources: tuple[str, ...]
    source_images: npt.NDArray[np.uint8]


def write_fused(path: Path, shown: FusedSlice) -> None:
    """Write ``fused/<epoch>.npz``."""
    write_arrays(
        path,
        names=np.array(shown.names),
        images=shown.images,
        sources=np.array(shown.sources),
        source_images=shown.source_images,
    )


def read_fused(path: Path) -> FusedSlice:
    """Read ``fused/<epoch>.npz``; InputError that names the file where it is broken or of another form."""
    with stored_arrays(path, _KEYS, "fused image") as found:
        names, sources = (tuple(str(name) for name in found[key]) for key in ("names", "sources"))
        return FusedSlice(names, found["images"], sources, found["source_images"])
