"""What the JSON files of data sets have in common: names by number, labels by name or by value."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrfusion.case import Region
from mrfusion.errors import InputError
from mrfusion.files import read_json
from mrfusion.layouts._base import meaning_of, regions_from, stem

FILE = "dataset.json"


def read_object(path: Path) -> dict[str, Any]:
    """The keys and values of a JSON file; InputError for anything else."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys and values, found {_short(content)}")
    return content


OWN_KEYS = ("label", "fold", "id", "patient")  # of an entry of a datalist; every other key may be a modality


def entry_id(entry: Mapping[str, Any]) -> str:
    """The id of a datalist's case: what it says itself, or the name of its first image."""
    given = entry.get("image", {key: value for key, value in entry.items() if key not in OWN_KEYS})
    files = [given] if isinstance(given, str) else [*given.values()] if isinstance(given, dict) else given
    first = files[0] if isinstance(files, list) and files else ""
    return str(entry.get("id") or stem(Path(str(first))) or "")


def listed_folds(content: Mapping[str, Any], path: Path) -> list[dict[str, list[str]]] | None:
    """The folds of a datalist whose cases say theirs, as Auto3DSeg's do, in nnU-Net's form: ``val`` of fold k are its
    cases, ``train`` all others. None where no case has one; InputError where the numbers are not 0, 1, .."""
    listed = [entry for entry in entries(content, "training", path) if isinstance(entry, dict)]
    numbers = {entry_id(entry): entry["fold"] for entry in listed if "fold" in entry}
    if not numbers:
        return None
    found = sorted(set(numbers.values()), key=str)
    if not all(type(n) is int for n in found) or sorted(found) != list(range(len(found))):
        raise InputError(
            f"{path}: expected the folds 0, 1, .. of the cases, found {_short(found)}; number them without a gap"
        )
    every = [entry_id(entry) for entry in listed]
    return [
        {
            "train": [name for name in every if numbers.get(name) != fold],
            "val": [name for name in every if numbers.get(name) == fold],
        }
        for fold in range(len(found))
    ]


def peek(path: Path) -> dict[str, Any]:
    """The keys and values of a JSON file, none where there is no such file or it is broken."""
    try:
        return read_object(path) if path.is_file() else {}
    except InputError:
        return {}


def entries(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    """The list that stands under a key, empty where the key is not there."""
    found = content.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"{path}: {key}: expected a list of cases, found {_short(found)}")
    return found


def channel_names(content: Mapping[str, Any], path: Path) -> list[str]:
    """The modalities in the order of their channels, from ``{"0": "T1", ...}`` or a list of names."""
    given = next((content[key] for key in ("channel_names", "modality", "modalities") if key in content), None)
    if isinstance(given, dict) and sorted(given) == sorted(str(n) for n in range(len(given))):
        given = [given[str(n)] for n in range(len(given))]
    if not isinstance(given, list) or not given or not all(isinstance(name, str) and name for name in given):
        raise InputError(f"{path}: expected channel_names as in {{'0': 'T1', '1': 'T2'}}, found {_short(given)}")
    if len(set(given)) < len(given):
        raise InputError(f"{path}: expected each channel's name once, found {_short(given)}; rename one")
    return given


def regions_of(
    content: Mapping[str, Any], path: Path, given: Mapping[str, Sequence[int]] | None
) -> tuple[tuple[Region, ...], dict[int, int]]:
    """The regions that a user gives, or else those of ``labels``, and what every value in the files means.

    ``labels`` is ``{name: value or [values]}`` or ``{value: name}``; 0 is the background. Values that ``labels`` knows
    and no region holds count as background.
    """
    known = _labels(content.get("labels", {}), path)
    if "ignore" in known:
        raise InputError(f"{path}: voxels that are to be ignored ('ignore' in labels) are not supported; relabel them")
    chosen = regions_from(given or known)
    inside = {value for region in chosen for value in region.labels}
    rest = sorted({value for values in known.values() for value in values} - inside)
    return chosen, meaning_of(chosen, rest)


def _labels(given: Any, path: Path) -> dict[str, list[int]]:
    pairs = given.items() if isinstance(given, dict) else ()
    found = {}
    for key, value in pairs:
        name, values = (value, key) if isinstance(value, str) and key.isdigit() else (key, value)
        numbers = [values] if not isinstance(values, list) else values
        if not str(name).strip() or any(isinstance(number, bool) for number in numbers):
            raise InputError(f"{path}: labels: expected names with whole numbers, found {name!r}: {_short(value)}")
        try:
            found[str(name)] = [int(number) for number in numbers]
        except (TypeError, ValueError):
            raise InputError(f"{path}: labels: expected whole numbers, found {name!r}: {_short(value)}") from None
    return {name: values for name, values in found.items() if values not in ([0], [])}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
