"""One folder per case, files told apart by a word at the start or end of their names; regions given by the user.

A file belongs to a modality if its name without .nii.gz is the word, begins with the word and one of ``_ - .``, or
ends with one of these and the word; capitals count. ``T1`` is in ``T1_N4.nii.gz`` and ``Case3001_T1.nii.gz`` and not
in ``T1POST_N4.nii.gz``. Exactly one file of a folder must match; of several, one that is called the word and nothing
else is taken; ``T1.nii.gz`` as the word tells it from ``T1.nii``. A case is any folder that directly holds a file of a
modality, the root itself too; its name is the case's id.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mrfusion.case import Case, Cohort
from mrfusion.errors import CaseError, InputError, SpecError
from mrfusion.layouts._base import (
    ENDINGS,
    SEPARATORS,
    check_complete,
    images_under,
    meaning_of,
    named,
    near_files,
    regions_from,
    stem,
)

LABELS = "label map"


def folder(
    root: Path,
    *,
    modalities: Mapping[str, str] | Sequence[str],
    label: str | Mapping[str, str],
    regions: Mapping[str, Sequence[int]],
    background_labels: Sequence[int] = (),
    patient: str | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The cases under ``root``.

    ``modalities`` is ``{name: word}`` or a list of words, ``label`` the word of the label map. Where several modalities
    have a label map of the same, ``label`` is ``{modality: word}``: the first is learnt, by the others ``mrfusion
    inspect`` tells whether the modalities are registered. ``regions`` is ``{name: [values in the file]}``; values of
    ``background_labels`` count as background, any other is refused when it is read. ``patient`` is a regular
    expression whose first group (or whole match) in the case's id is the patient.

    Options:
        modalities: words that tell the images of a case apart, or {modality: word}
        label: word of the label map, or {modality: word} where several modalities have one
        regions: regions by name, each a list of label values
        background_labels: label values that count as background
        patient: regular expression that finds the patient in a case's name; default: the whole name
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: folder(modalities=[T1,FLAIR],label=mask,regions={lesion:[1]})
    """
    images_by = named(modalities)
    own, masks = _labels(label, images_by)
    words = {**images_by, LABELS: own}
    if len({*words.values(), *masks.values()}) < len(words) + len(masks):
        raise SpecError(f"label: {label!r} is also the word of a modality; each needs its own")
    chosen = regions_from(regions)
    meaning = meaning_of(chosen, background_labels)
    cases = []
    for place, paths in images_under(root).items():
        files = {name: match for name, word in words.items() if (match := _the_one(place, paths, name, word))}
        if files.keys() - {LABELS}:
            images = {name: path for name, path in files.items() if name != LABELS}
            case_id = place.resolve().name
            case = Case(case_id, _patient(case_id, patient), images, files.get(LABELS), None, meaning)
            case = replace(case, masks={n: p for n, word in masks.items() if (p := _the_one(place, paths, n, word))})
            expected = {name: _expected(word) for name, word in words.items()}
            cases.append(check_complete(case, expected, place, may_lack))
    if not cases:
        there = [path.name for paths in images_under(root).values() for path in paths]
        near = next((text for word in words.values() if (text := near_files(word, there))), "")
        raise InputError(
            f"expected folders with files such as case1_{next(iter(words.values()))}.nii.gz under {root}, "
            f"found no name that begins or ends with one of the words {', '.join(words.values())} (capitals "
            f"count){near}"
        )
    return Cohort(tuple(n for n in words if n != LABELS), tuple(cases), chosen)


def _labels(label: str | Mapping[str, str], modalities: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The word of what is learnt, and those of the other modalities' label maps."""
    if not isinstance(label, Mapping):
        return str(label), {}
    if not label or not set(label) <= set(modalities):
        raise SpecError(
            f"label: expected a word, or {{modality: word}} of {', '.join(modalities)}, found {dict(label)}"
        )
    (_, own), *others = ((str(name), str(word)) for name, word in label.items())
    return own, dict(others)


def fits(root: Path) -> str | None:
    """Never: which words tell the files apart, and what the labels mean, only the user can say."""
    del root
    return None


def matches(name: str, word: str) -> bool:
    """Whether a file's name has ``word`` as its first or last part, or is the word; without the name's ending, unless
    the word has one itself."""
    return name == word or any(name.startswith(word + s) or name.endswith(s + word) for s in SEPARATORS)


def _the_one(place: Path, paths: list[Path], name: str, word: str) -> Path | None:
    called = _whole_name if word.endswith(ENDINGS) else stem
    found = [path for path in paths if matches(called(path) or "", word)]
    found = [path for path in found if called(path) == word] or found  # the word itself is nobody else's name
    if len(found) > 1:
        is_one_stem = len({stem(path) for path in found}) == 1
        cure = f"give the word with its ending, {word}.nii.gz" if is_one_stem else "give a longer word"
        raise CaseError(
            f"{place}: expected one file for {name} (word {word!r}), found {', '.join(p.name for p in found)}; "
            f"{cure}, or move the others away"
        )
    return found[0] if found else None


def _expected(word: str) -> str:
    return f"*_{word}" if word.endswith(ENDINGS) else f"{word}_*.nii.gz or *_{word}.nii.gz"


def _whole_name(path: Path) -> str:
    return unicodedata.normalize("NFC", path.name)


def _patient(case_id: str, pattern: str | None) -> str:
    if pattern is None:
        return case_id
    try:
        match = re.search(pattern, case_id)
    except re.error as error:
        raise SpecError(f"patient: expected a regular expression, found {pattern!r} ({error})") from None
    if not match:
        raise CaseError(f"case {case_id}: the patient is not found in its name by {pattern!r}; mend the expression")
    return match.group(1 if match.groups() else 0)
