"""Arms whose predictions were made elsewhere, as a study's file names them: where they lie, and what they hold."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrfusion.errors import SpecError
from mrfusion.files import is_junk

KEY = "predictions"


def with_content(changes: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """The changes of an arm; where it names predictions, with their whole addresses and a digest of their files.

    So other predictions in the same place are another run. SpecError where a folder is not there, or holds nothing.
    """
    if KEY not in changes:
        return dict(changes)
    given = changes[KEY]
    if isinstance(given, Mapping):
        given = given.get("folders")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise SpecError(f"arm {arm!r}: predictions: expected a folder, or a list of one for each fold, found {given!r}")
    folders = [Path(text).absolute() for text in texts]
    return {**changes, KEY: {"folders": [str(folder) for folder in folders], "fingerprint": _digest(folders, arm)}}


def _digest(folders: list[Path], arm: str) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        files = sorted(path for ending in ("nii.gz", "nii") for path in folder.rglob(f"*.{ending}"))
        files = [path for path in files if not any(map(is_junk, path.relative_to(folder).parts))]
        if not files:
            raise SpecError(f"arm {arm!r}: predictions: expected a folder with .nii.gz files at {folder}, found none")
        for path in files:
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
