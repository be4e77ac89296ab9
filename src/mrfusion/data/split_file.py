"""Splits from a file: ours with ids, patients and hashes, nnU-Net's splits_final.json, or a datalist whose cases have
folds (Auto3DSeg); checked against a cohort."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrfusion.case import Cohort, Split
from mrfusion.data.split import carve_validation, check_split
from mrfusion.errors import CaseError, InputError
from mrfusion.files import read_json
from mrfusion.layouts._dataset_json import listed_folds
from mrfusion.run_folder.splits import PARTS


def read_splits(
    path: Path,
    cohort: Cohort,
    strata: Mapping[str, str],
    *,
    val_share: float = 0.2,
    seed: int = 0,
    hashes: Mapping[str, str] | None = None,
) -> tuple[list[Split], tuple[str, ...]]:
    """The splits of a file, and what has to be said about them.

    In nnU-Net's file (a list of ``{train, val}``) the ``val`` part of a fold is what is tested on; validation is carved
    out of ``train`` by patient, as ``val_share`` and ``seed`` say. So it is with the folds of a datalist.
    InputError or CaseError for anything that does not fit the cohort: unknown ids, a case or a patient on two sides.
    """
    content = _read(path)
    ours = isinstance(content, dict) and isinstance(content.get("folds"), list)
    folds = content["folds"] if ours else content
    if not isinstance(folds, list) or not folds:
        raise InputError(f"{path}: expected our splits or nnU-Net's (a list of train and val), found {_short(content)}")
    parts = [_fold(path, number, fold, PARTS if ours else PARTS[:2]) for number, fold in enumerate(folds)]
    if ours:
        notes = _changed(content.get("cases"), hashes or {})
        splits = [Split(*fold) for fold in parts]
    else:
        notes = ("the val part of each fold is tested on, as nnU-Net's; validation is carved out of its train part",)
        for number, (train, test) in enumerate(parts):
            check_split(cohort, Split(train, (), test), f"{path}, fold {number}")
        carved = [carve_validation(cohort, strata, train, val_share=val_share, seed=seed) for train, _ in parts]
        splits = [Split(train, val, test) for (train, val), (_, test) in zip(carved, parts, strict=True)]
    for number, split in enumerate(splits):
        check_split(cohort, split, f"{path}, fold {number}")
    return splits, (*notes, *_tested_twice(path, splits), *_unused(cohort, splits))


def _tested_twice(path: Path, splits: Sequence[Split]) -> list[str]:
    """A note on cases that several folds test; CaseError where two folds test the same cases and no other."""
    folds: dict[frozenset[str], int] = {}
    for number, split in enumerate(splits):
        twin = folds.setdefault(frozenset(split.test), number)
        if twin != number and set(splits[twin].train) == set(split.train):
            raise CaseError(
                f"{path}: the folds {twin} and {number} are the same, which tells nothing new; drop one of them"
            )
    tested = Counter(case for split in splits for case in split.test)
    twice = [case for case, count in tested.items() if count > 1]
    return [f"{len(twice)} cases are tested in several folds: {_some(twice)}"] if twice else []


def _read(path: Path) -> Any:
    """What the file says; of a datalist whose cases have folds, these in nnU-Net's form."""
    content = read_json(path)
    listed = listed_folds(content, path) if isinstance(content, dict) and "training" in content else None
    return content if listed is None else listed


def count_folds(path: Path) -> int:
    """How many folds a file of splits holds; InputError if it is none."""
    content = _read(path)
    folds = content.get("folds") if isinstance(content, dict) else content
    if not isinstance(folds, list) or not folds:
        raise InputError(f"{path}: expected our splits or nnU-Net's (a list of train and val), found {_short(content)}")
    return len(folds)


def _fold(path: Path, number: int, fold: Any, names: Sequence[str]) -> list[tuple[str, ...]]:
    parts = [fold.get(name) if isinstance(fold, dict) else None for name in names]
    if not all(isinstance(part, list) and all(isinstance(i, str) for i in part) for part in parts):
        raise InputError(
            f"{path}, fold {number}: expected lists of case ids for {', '.join(names)}, found {_short(fold)}"
        )
    return [tuple(unicodedata.normalize("NFC", name) for name in part) for part in parts if isinstance(part, list)]


def _changed(cases: Any, hashes: Mapping[str, str]) -> tuple[str, ...]:
    entries = cases.items() if isinstance(cases, dict) else ()
    before = {name: entry.get("hash") for name, entry in entries if isinstance(entry, dict)}
    changed = [name for name, now in hashes.items() if before.get(name) not in (None, now)]
    return (f"{len(changed)} cases have changed since the splits were written: {_some(changed)}",) if changed else ()


def _unused(cohort: Cohort, splits: Sequence[Split]) -> list[str]:
    notes = []
    for number, split in enumerate(splits):
        used = {*split.train, *split.val, *split.test}
        unused = [case.id for case in cohort.cases if case.id not in used]
        if unused:
            notes.append(f"fold {number} leaves out {len(unused)} cases: {_some(unused)}")
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
