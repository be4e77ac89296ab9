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

_VALUE = r"""=\s*(?P<value>"[^"]*"|'[^']*'|[^,()'"]+)"""
_FILES, _LIST = (re.compile(rf"\b(?P<name>{names}){_VALUE}") for names in ("plans|weights", "file"))
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def with_places(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The keys of a specification, or of an arm's changes, with every path in them as it is to be opened.

    These are the paths of sources and splits, a datalist that lies elsewhere, folders of predictions, and the files
    that choices are given: ``nnunet(plans=..)``, ``fusion(weights=..)``. What has another form than a specification's
    stays as it is, for its reader to refuse.
    """
    placed = {
        key: value if key in ("data", "predictions") else _in_texts(value, file) for key, value in content.items()
    }
    if "predictions" in content:
        placed["predictions"] = _folders(content["predictions"], file)
    data = content.get("data")
    if isinstance(data, Mapping):
        placed["data"] = dict(data)
        if isinstance(data.get("sources"), list):
            placed["data"]["sources"] = [_source(one, file) for one in data["sources"]]
        if isinstance(data.get("split"), Mapping):
            placed["data"]["split"] = _with_path(data["split"], "file", file)
    return placed


def _source(one: Any, file: Path) -> Any:
    source = _with_path(one, "path", file)
    if not isinstance(source, Mapping) or not str(source.get("layout", "")).startswith("datalist"):
        return source
    found = {**source, "layout": _in_text(str(source["layout"]), _LIST, file)}
    return found | ({"options": _with_path(source["options"], "file", file)} if "options" in source else {})


def _folders(given: Any, file: Path) -> Any:
    if isinstance(given, Mapping):
        return {**given, "folders": _folders(given.get("folders"), file)}
    if isinstance(given, list):
        return [_folders(one, file) for one in given]
    return str(place_of(given, file)) if isinstance(given, str) and given else given


def _in_texts(value: Any, file: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _in_texts(one, file) for key, one in value.items()}
    if isinstance(value, list):
        return [_in_texts(one, file) for one in value]
    return _in_text(value, _FILES, file) if isinstance(value, str) else value


def _in_text(text: str, option: re.Pattern[str], file: Path) -> str:
    """A choice with the file that it is given as it is to be opened; unchanged where that is where it would be looked
    for anyway, so that a run keeps its digest."""

    def placed(match: re.Match[str]) -> str:
        named = match["value"].strip("'\" ")
        place = place_of(named, file)
        return (
            match[0]
            if place.exists() == Path(named).exists() and _same(place, Path(named))
            else (f"{match['name']}={str(place.absolute())!r}")
        )

    return option.sub(placed, text)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or not one.exists()


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
