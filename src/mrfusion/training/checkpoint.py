"""Checkpoints: the state of a training after each epoch, with a checksum, and the one before as a spare."""

import hashlib
import io
import os
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from mrfusion.errors import InputError, Note, OutputError
from mrfusion.files import writing
from mrfusion.run_folder.run import RunFolder

_CHECKSUM = 64  # hexadecimal digits of SHA-256 in front of the content


def save_checkpoint(folder: RunFolder, state: dict[str, Any]) -> None:
    """Write ``last.pt`` whole or not at all; what was last becomes ``previous.pt``."""
    stream = io.BytesIO()
    torch.save(state, stream)
    content = stream.getvalue()
    last, previous = folder.checkpoints
    with writing(last) as temporary:
        temporary.write_bytes(hashlib.sha256(content).hexdigest().encode() + content)
        if last.exists():
            os.replace(last, previous)


def load_checkpoint(folder: RunFolder) -> dict[str, Any] | None:
    """The newest state whose checksum holds, None if there is none; says so when the newest is damaged.

    Read with ``weights_only``: a checkpoint cannot run code.
    """
    for path in folder.checkpoints:
        if not path.exists():
            continue
        content = path.read_bytes()
        if hashlib.sha256(content[_CHECKSUM:]).hexdigest().encode() == content[:_CHECKSUM]:
            return _loaded(path, content[_CHECKSUM:])
        text = f"{path} is damaged (its checksum does not hold); going back to the one before"
        warnings.warn(text, Note, stacklevel=2)
    return None


def _loaded(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")  # type: ignore[no-any-return]
    except (UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, AttributeError, IndexError) as error:
        raise InputError(
            f"expected a checkpoint of mrfusion at {path}, found something else ({type(error).__name__}), of which "
            "nothing was run; delete the file, and the run begins again"
        ) from None


def drop_checkpoints(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs; the best weights are kept as those of the run."""
    try:
        for path in (*folder.checkpoints, folder.best_weights):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot tidy {folder.path}: {error.strerror}") from None
