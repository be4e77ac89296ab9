"""``splits.json``: which cases each fold trains on, validates on and tests on, with a digest of each case's images."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mrfusion.case import Case, Split
from mrfusion.files import read_json, write_json

PARTS = ("train", "val", "test")


def write_splits(path: Path, cases: Iterable[Case], splits: Sequence[Split], hashes: Mapping[str, str]) -> None:
    """Write ``{"cases": {id: {patient, hash}}, "folds": [{train, val, test}]}``; ``hashes`` are ``Prepared.digest``."""
    known = {case.id: {"patient": case.patient, "hash": hashes.get(case.id)} for case in cases}
    write_json(path, {"cases": known, "folds": [{part: getattr(s, part) for part in PARTS} for s in splits]})


def read_hashes(path: Path) -> dict[str, str]:
    """Case id to the digest of its prepared images; InputError where the file is absent, KeyError or TypeError where
    it is of another form."""
    return {name: str(entry["hash"]) for name, entry in read_json(path)["cases"].items()}
