"""What the names in a folder of one folder per case say: the word of each modality, of the label map, the patients."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrfusion.data.nifti.labels import read_labels
from mrfusion.errors import CaseError, InputError
from mrfusion.layouts._base import SEPARATORS, images_under, stem

LABEL_NAMES = (
    "seg",
    "mask",
    "label",
    "labels",
    "gd",
    "gt",
    "roi",
    "msk",
    "truth",
    "segmentation",
    "annotation",
    "lesion",
)
MOST_VALUES = 64  # a file with more whole numbers than this is an image
LOOKED_AT = 3  # files of a role that are opened to tell a label map from an image
OFTEN = 0.5  # a word belongs to a role where at least this share of the cases has it


@dataclass(frozen=True)
class Roles:
    """The words that tell the files of a case apart.

    ``images`` are the words of the modalities, ``labels`` those of the label maps, the likeliest first. ``counts`` is
    word -> number of cases that have such a file. ``patient`` is a regular expression that finds the patient in a
    case's name, or empty where every case is a patient.
    """

    images: tuple[str, ...]
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    cases: int
    patient: str

    @property
    def incomplete(self) -> bool:
        """Whether some case lacks an image."""
        return any(self.counts[word] < self.cases for word in self.images)


def roles_of(root: Path) -> Roles:
    """Tell the files of each case below ``root`` apart by the words in their names; InputError where no word does."""
    folders = {place: files for place, files in images_under(root).items() if files}
    words = _words(folders.values())
    files = {word: [path for paths in folders.values() for path in paths if _has(path, word)] for word in words}
    values = {word: _label_values(files[word]) for word in words}
    labels = [word for word in words if values[word]]
    images = [word for word in words if not values[word]]
    if not images:
        raise InputError(
            f"expected a folder for each case below {root}, with files that a word at the start or end of their names "
            "tells apart, such as P01/P01_T1.nii.gz; found no such word. Say with --layout how the data lie, or write "
            "a table ('mrfusion list layouts table')"
        )
    counts = {word: len(files[word]) for word in words}
    beside = {word: max((counts[i] for i in images if _first(i) == _first(word)), default=0) for word in labels}
    labels.sort(key=lambda w: (-counts[w], -beside[w], -values[w], not _named_like_labels(w), len(w)))
    return Roles(tuple(images), tuple(labels), counts, len(folders), _patient([p.name for p in folders]))


def _words(folders: Iterable[Sequence[Path]]) -> list[str]:
    """One word for each role: at most one file of a folder has it, many folders have it, short ones before long."""
    listed = [[name for path in paths if (name := stem(path))] for paths in folders]
    found: Counter[str] = Counter()
    twice: set[str] = set()
    for names in listed:
        here = Counter(word for name in names for word in _candidates(name))
        twice |= {word for word, number in here.items() if number > 1}
        found.update(here.keys())
    often = {word: number for word, number in found.items() if word not in twice and number >= OFTEN * len(listed)}
    roles: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for number, names in enumerate(listed):
        for name in names:
            for word in _candidates(name) & often.keys():
                roles[word].add((number, name))
    chosen: list[str] = []
    taken: set[tuple[int, str]] = set()
    for word in sorted(roles, key=lambda word: (-len(roles[word]), len(word), word)):
        if not roles[word] & taken:
            chosen.append(word)
            taken |= roles[word]
    return sorted(chosen)


def _candidates(name: str) -> set[str]:
    """What a file could be called by: its whole name, and every first or last part of it."""
    cuts = [place for place, letter in enumerate(name) if letter in SEPARATORS]
    return {name, *(name[:cut] for cut in cuts if cut), *(name[cut + 1 :] for cut in cuts if cut + 1 < len(name))}


def _has(path: Path, word: str) -> bool:
    return word in _candidates(stem(path) or "")


def _label_values(files: Sequence[Path]) -> int:
    """How many label values the first files hold; 0 for images: numbers that are not whole, below 0, or too many."""
    most = 0
    try:
        for path in files[:LOOKED_AT]:
            values = np.unique(read_labels(path).array)
            if len(values) > MOST_VALUES or values.min(initial=0) < 0:
                return 0
            most = max(most, len(values))
    except CaseError:  # no whole numbers, or a file that inspect will tell about
        return 0
    return most


def _first(word: str) -> str:
    """The first part of a word: T1 of T1_mask."""
    return re.split(f"[{re.escape(SEPARATORS)}]", word)[0]


def _named_like_labels(word: str) -> bool:
    return any(part.lower() in LABEL_NAMES for part in re.split(f"[{re.escape(SEPARATORS)}]", word))


def _patient(names: Sequence[str]) -> str:
    """An expression for the patient where names end in a visit, as in P01_1 and P01_2; empty where none do."""
    ending = r"^(.+)[_-](?:[A-Za-z]{0,5}\d{1,3})$"
    first = [match[1] if (match := re.match(ending, name)) else name for name in names]
    shared = [count for count in Counter(first).values() if count > 1]
    several = len(set(first)) > max(2, len(names) // 4)  # else the first part names the data set, not a patient
    return ending if shared and several else ""
