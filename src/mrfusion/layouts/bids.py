"""BIDS: sub-<label>/ses-<label>/<kind>/sub-<label>_..._<suffix>.nii.gz; masks among the derivatives.

A session is a case, a subject a patient. A modality is told by how a name ends behind subject and session: ``T1w``,
``dwi``, or with more of the name, ``acq-mprage_T1w``. Folders between the root and a file do not matter, but what lies
under ``derivatives`` is an image only where no raw file has the ending that is asked for. ``classes`` names the column
of participants.tsv that is learnt.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mrfusion.case import Case, Cohort
from mrfusion.errors import CaseError, InputError
from mrfusion.files import delimiter_of, known, read_rows
from mrfusion.layouts._base import (
    check_complete,
    class_named,
    classes_of,
    images_under,
    meaning_of,
    named,
    regions_from,
    stem,
)

MASKS = ("mask", "msk", "dseg", "roi", "seg")
_NAME = re.compile(r"(sub-[A-Za-z0-9]+)(?:_(ses-[A-Za-z0-9]+))?_(.+)\Z")
Files = dict[str, list[Path]]  # what a name ends in behind subject and session -> files, those of derivatives apart


def bids(
    root: Path,
    *,
    modalities: Mapping[str, str] | Sequence[str] | None = None,
    label: str | None = None,
    regions: Mapping[str, Sequence[int]] | None = None,
    background_labels: Sequence[int] = (),
    classes: str | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The sessions under ``root``.

    ``modalities`` is ``{name: ending}`` or a list of endings; left out, every suffix of a raw image that some session
    has. ``label`` is the ending of the label map, by default the only one of mask, msk, dseg, roi, seg among the
    derivatives. ``regions`` is ``{name: [values in the file]}``, by default ``lesion: [1]``; with ``classes``, a column
    of participants.tsv, there are none.

    Options:
        modalities: modality names, or {name: suffix}; default: what the files say
        label: suffix of the label maps; default: what the files say
        regions: regions by name, each a list of label values
        background_labels: label values that count as background
        classes: column of participants.tsv that holds the class, for classification
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: bids
    """
    found = _sessions(root)
    words = named(modalities) if modalities else {s: s for s in _suffixes(found)}
    chosen = () if classes else regions_from(regions or {"lesion": [1]})
    meaning = meaning_of(chosen, background_labels)
    ending = None if classes else label or _label_of(found)
    column = _column(root, classes) if classes else {}
    cases = []
    for (subject, session), (raw, derived) in sorted(found.items()):
        name = f"{subject}_{session}" if session else subject
        images = {m: path for m, word in words.items() if (path := _the_one(name, {**derived, **raw}, m, word))}
        label_map = _the_one(name, {**raw, **derived}, "the label map", ending) if ending else None
        if not images:
            continue
        case = Case(name, subject, images, label_map, column.get(subject), meaning)
        expected = {m: f"{name}_{word}.nii.gz" for m, word in words.items()}
        labels = {"label map": f"derivatives/.../{name}_{ending or MASKS[0]}.nii.gz"} if chosen else {}
        folder = next(iter(images.values())).parent
        cases.append(check_complete(case, expected | labels, folder, may_lack))
    if not cases:
        raise InputError(f"{root}: expected images that end in {', '.join(words.values()) or 'a suffix'}, found none")
    classes_found = classes_of(column.values(), root / "participants.tsv")
    return Cohort(tuple(words), tuple(cases), chosen, classes_found)


def fits(root: Path) -> str | None:
    """Whether a folder of a subject is there, at ``root`` or inside rawdata, and a file named after it."""
    places = [place for base in (root, root / "rawdata") if base.is_dir() for place in base.glob("sub-*")]
    return (
        "bids" if any(_NAME.match(stem(p) or "") for place in places[:1] for p in place.rglob("sub-*.nii*")) else None
    )


def _sessions(root: Path) -> dict[tuple[str, str], tuple[Files, Files]]:
    """(subject, session) -> raw files and derived ones, by their endings."""
    found: dict[tuple[str, str], tuple[Files, Files]] = {}
    for folder, paths in images_under(root).items():
        is_derived = "derivatives" in folder.relative_to(root).parts
        for path in paths:
            match = _NAME.match(stem(path) or "")
            if match:
                files = found.setdefault((match[1], match[2] or ""), ({}, {}))[is_derived]
                files.setdefault(match[3], []).append(path)
    if not found:
        raise InputError(f"expected BIDS files such as sub-01/anat/sub-01_T1w.nii.gz under {root}, found no such name")
    return found


def _suffixes(found: Mapping[tuple[str, str], tuple[Files, Files]]) -> list[str]:
    """The suffixes of raw images, the most frequent first."""
    counted = Counter(s for raw, _ in found.values() for s in {ending.rpartition("_")[2] for ending in raw})
    return [name for name, _ in sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])) if name not in MASKS]


def _label_of(found: Mapping[tuple[str, str], tuple[Files, Files]]) -> str | None:
    """The one ending of masks among the derivatives, None where there are no masks."""
    endings = sorted({e for _, derived in found.values() for e in derived if e.rpartition("_")[2] in MASKS})
    if len(endings) > 1:
        raise InputError(
            f"expected one kind of label map, found {', '.join(endings)}; say which with label: {endings[0]}"
        )
    return endings[0] if endings else None


def _the_one(name: str, files: Files, what: str, word: str) -> Path | None:
    exact = files.get(word, [])  # what is called so and nothing else is nobody else's name
    matching = exact or [
        path for ending, paths in files.items() if ending == word or ending.endswith(f"_{word}") for path in paths
    ]
    if len(matching) > 1:
        raise CaseError(
            f"case {name}: expected one file for {what}, which ends in {word!r}, found "
            f"{', '.join(path.name for path in matching)}; say more of its name, as in {what}: run-1_{word}"
        )
    return matching[0] if matching else None


def _column(root: Path, name: str) -> dict[str, str]:
    """Subject -> what stands in a column of participants.tsv."""
    places = [base / "participants.tsv" for base in (root, root / "rawdata")]
    path = next((place for place in places if place.is_file()), places[0])
    rows = read_rows(path, ("participant_id", name), delimiter=delimiter_of(path))
    classes = {row["participant_id"].strip(): class_named(known(row[name])) for row in rows if row["participant_id"]}
    return {
        subject if subject.startswith("sub-") else f"sub-{subject}": value
        for subject, value in classes.items()
        if value
    }
