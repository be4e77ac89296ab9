"""MONAI's datalist: a JSON file with lists of cases, ``training``, ``validation``, ``testing``, each {image, label}.

``image`` is a file, a list of files or ``{modality: file}``; a single file of four dimensions holds all modalities.
Modalities may also stand as keys of their own beside ``label``. Names are relative to the folder that is given, which
they never leave. ``label`` is a label map, or a class.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrfusion.case import Case, Cohort, Region
from mrfusion.errors import InputError, Note
from mrfusion.files import known
from mrfusion.layouts._base import ENDINGS, check_complete, class_named, classes_of, there
from mrfusion.layouts._dataset_json import (
    FILE,
    OWN_KEYS,
    channel_names,
    entries,
    entry_id,
    peek,
    read_object,
    regions_of,
)


def datalist(
    root: Path,
    *,
    file: str | None = None,
    lists: Sequence[str] = ("training", "validation"),
    modalities: Sequence[str] | None = None,
    regions: Mapping[str, Sequence[int]] | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The cases of a datalist in the folder ``root``, or of ``root`` if that is one itself.

    ``file`` is the datalist if it lies elsewhere; its names are still relative to ``root``. ``lists`` are read.
    ``modalities`` names the files of ``image`` in their order where the datalist does not. ``regions`` stand for its
    ``labels``; without either the classes in ``label`` are learnt.

    Options:
        file: name of the JSON file; default: the only one there
        lists: which lists of the file are read
        modalities: names of the channels, in their order; default: what the file says
        regions: regions by name, each a list of label values
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: datalist(file="dataset.json")
    """
    path = root if root.is_file() else _named(file, root) if file else _found(root)
    base = root.parent if root.is_file() else root
    content = read_object(path)
    listed = [entry for name in lists for entry in entries(content, name, path)]
    if not listed or not all(isinstance(entry, dict) for entry in listed):
        raise InputError(f"{path}: expected cases as {{image, label}} under {' or '.join(lists)}, found {len(listed)}")
    images = [
        _images(entry, modalities or _names(content, path), f"{path}, case {n}") for n, entry in enumerate(listed)
    ]
    names = tuple(dict.fromkeys(name for files, _ in images for name in files))
    is_mask = any(str(entry.get("label", "")).lower().endswith(ENDINGS) for entry in listed)
    given = regions or content.get("regions")
    chosen, meaning = regions_of(content, path, given) if is_mask or given else ((), {})
    _tell_folds(listed, path)
    place = _Place(path, base, names, chosen, meaning, may_lack)
    cases = [place.case(entry, *files) for entry, files in zip(listed, images, strict=True)]
    classes = () if chosen else classes_of((case.label for case in cases), path)
    return Cohort(names, tuple(cases), chosen, classes)


def _named(file: str, root: Path) -> Path:
    """The datalist with this name, which lies below the folder or elsewhere."""
    return root / file if (root / file).is_file() else Path(file).expanduser()


def _tell_folds(listed: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A note where the cases have folds, as Auto3DSeg's have: they are a split only where a split asks for them."""
    numbers = sorted({str(entry["fold"]) for entry in listed if "fold" in entry})
    if numbers:
        warnings.warn(
            f"{path} has a fold for its cases ({', '.join(numbers[:8])}{', ..' if len(numbers) > 8 else ''}); it is "
            "used only where data.split.file, or --splits, names this file: fold k is then tested by the k-th run",
            Note,
            stacklevel=3,
        )


def fits(root: Path) -> str | None:
    """The JSON files of a folder, or the file itself, that list cases with images; not those of a decathlon."""
    files = [root] if root.suffix == ".json" else sorted(root.glob("*.json")) if root.is_dir() else []
    found = [path for path in files if path.name != FILE and _is_list(peek(path).get("training"))]
    if not found:
        return None
    return "datalist" if root.is_file() or _found(root) == found[0] else f"datalist(file={str(found[0])!r})"


@dataclass(frozen=True)
class _Place:
    """What the cases of one datalist have in common."""

    path: Path
    base: Path
    names: tuple[str, ...]
    regions: tuple[Region, ...]
    meaning: Mapping[int, int]
    may_lack: Sequence[str]

    def case(self, entry: Mapping[str, Any], files: Mapping[str, str], channels: Mapping[str, int]) -> Case:
        """The case of one entry; CaseError where a file is missing or leads out."""
        case_id = entry_id(entry)
        where, label = f"{self.path}, case {case_id}", entry.get("label")
        found = {name: there(file, self.base, f"{where}: {name}") for name, file in files.items()}
        images = {name: found[name] for name in self.names if found.get(name)}
        is_mask = bool(self.regions) and isinstance(label, str)
        label_map = there(label, self.base, f"{where}: label") if is_mask and isinstance(label, str) else None
        text = None if self.regions or label is None else class_named(known(str(label)))
        patient = str(entry.get("patient") or case_id)
        case = Case(case_id, patient, images, label_map, text, self.meaning, channels)  # type: ignore[arg-type]
        expected = {name: files.get(name, "a file") for name in self.names}
        expected |= {"label map": str(label or "a file under label")} if self.regions else {}
        return check_complete(case, expected, self.base, self.may_lack)


def _images(entry: Mapping[str, Any], names: Sequence[str] | None, where: str) -> tuple[dict[str, str], dict[str, int]]:
    """Modality -> file, and modality -> channel where one file holds several."""
    given = entry.get("image", {key: value for key, value in entry.items() if key not in OWN_KEYS})
    if isinstance(given, str) and names and len(names) > 1:
        return dict.fromkeys(names, given), {name: number for number, name in enumerate(names)}
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list):
        called = names or (["image"] if len(given) == 1 else [f"image{n}" for n in range(len(given))])
        given = dict(zip(called, given, strict=True)) if len(called) == len(given) else None
    if not isinstance(given, dict) or not given or not all(isinstance(file, str) for file in given.values()):
        expected = f"a file for each of {', '.join(names)}" if names else "a file, a list of files or {modality: file}"
        raise InputError(f"{where}: expected under image {expected}, found {str(entry)[:200]}")
    return {str(name): file for name, file in given.items()}, {}


def _names(content: Mapping[str, Any], path: Path) -> list[str] | None:
    known = any(key in content for key in ("channel_names", "modality", "modalities"))
    return channel_names(content, path) if known else None


def _found(root: Path) -> Path:
    """The datalist of a folder: datalist.json, or the only JSON file."""
    files = sorted(root.glob("*.json")) if root.is_dir() else []
    usual = [path for path in files if path.name == "datalist.json"]
    if not usual and len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise InputError(f"expected datalist.json in {root}, found {names}; name the file: datalist(file='...')")
    return (usual or files)[0]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "label" in value[0]
