"""Arrays that a run leaves: one way to write and to read them, one message where they are broken."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mrfusion.errors import InputError, reason
from mrfusion.files import writing


def write_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays under their names to an .npz file, compressed, whole or not at all."""
    with writing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # names of arrays, not an option


@contextmanager
def stored_arrays(path: Path, keys: Sequence[str], what: str) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """The arrays called ``keys`` in an .npz file; InputError that names the file where reading them, or making
    ``what`` of them inside the block, fails."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield {key: file[key] for key in keys}
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"expected a {what} with {', '.join(keys)} at {path}, found: {reason(error)}") from None
