"""The paths of a YAML file: relative to the file, with ``~`` and ``$VARIABLES`` in place of what they stand for."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrfusion.data.split_file import count_folds
from mrfusion.errors import Note, SpecError
from mrfusion.spec import RunSpec

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def with_places(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The keys of a specification with ``data.sources[].path`` and ``data.split.file`` as they are to be opened.

    What has another form than a specification's stays as it is, for its reader to refuse.
    """
    data = content.get("data")
    if not isinstance(data, Mapping):
        return dict(content)
    placed = dict(data)
    if isinstance(data.get("sources"), list):
        placed["sources"] = [_with_path(one, "path", file) for one in data["sources"]]
    if isinstance(data.get("split"), Mapping):
        placed["split"] = _with_path(data["split"], "file", file)
    return {**content, "data": placed}


def _with_path(part: Any, key: str, file: Path) -> Any:
    text = part.get(key) if isinstance(part, Mapping) else None
    return {**part, key: str(place_of(text, file))} if isinstance(text, str) and text else part


def place_of(text: str, file: Path) -> Path:
    """Where a path in ``file`` leads. SpecError for a variable that is not set.

    Version 0.1.0 read a relative path from the working directory: where only that place exists, it is still taken,
    with a note.
    """
    path = Path(os.path.expandvars(text)).expanduser()
    if unset := _VARIABLE.search(str(path)):
        raise SpecError(
            f"{file}: the path {text!r} names {unset[0]}, which is not set; set the variable, or write it out"
        )
    beside = file.parent / path
    if path.is_absolute() or beside.exists() or not path.exists():
        return beside
    warnings.warn(
        f"{file}: the path {text!r} is not there beside the file, so it is read from the working directory, as version "
        "0.1.0 did; the next version will not: write it relative to the YAML file",
        Note,
        stacklevel=2,
    )
    return path


def placed(base: RunSpec, path: Path, data: Path | str | None, splits: Path | str | None) -> RunSpec:
    """The base with the paths of the command line in place of the file's."""
    changes: dict[str, Any] = {}
    if data is not None:
        if len(base.data.sources) > 1:
            raise SpecError(f"{path} names {len(base.data.sources)} sources; --data can stand in for a single one")
        changes["sources"] = [base.data.sources[0].model_dump(mode="json") | {"path": str(data)}]
    file = splits or base.data.split.file
    if file is not None:
        file = Path(file)
        changes["split"] = {"file": str(file), "folds": count_folds(file)}
    return base.changed({"data": changes})
