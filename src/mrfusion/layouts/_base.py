"""What every layout keeps to, and the checks at the door that they share.

A layout is ``layout(root: Path, *, may_lack=(), **options) -> Cohort``. It reads names, never voxels; hidden files are
not seen; nothing outside ``root`` is reached, by ``..`` or by a symbolic link. ``may_lack`` opens two doors:
``images`` lets a case lack modalities (its ``images`` then lacks the name), ``labels`` lets it lack its label.

Beside it in its file stands ``fits(root: Path) -> str | None``: the text that names the layout for what lies at
``root``, with the options that names alone can tell; None where it is no such data, or needs options of the user's.
``BESIDE = True`` says that such data may lie beside files that another layout reads; then the other one is meant.
"""

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Protocol

from mrfusion.case import Case, Cohort, Region, check_text
from mrfusion.errors import CaseError, InputError, SpecError, nearest, reason
from mrfusion.files import is_junk, visible

IN_FILE = "data: {sources: [{path: FOLDER, layout: 'CHOICE'}]}"  # how a choice is written; `mrfusion list` shows it

ENDINGS = (".nii.gz", ".nii")
_WHOLE = re.compile(r"-?\d+\.0*")  # a whole number that is written as a fraction
SEPARATORS = "_-."  # between the words of a file's name
MAY_LACK = ("images", "labels")
LEADS_OUT = (
    "give the folder that holds it, or write follow_links: true beside the source's path in a study's file, as "
    "'mrfusion init' does"
)
DOORS = {"images": "may_lack: [images], and train for it with absence: uniform", "labels": "may_lack: [labels]"}


class Layout(Protocol):
    """A folder (or table) on disk in, a cohort out; InputError or CaseError says what is not as expected."""

    def __call__(self, root: Path, *, may_lack: Sequence[str] = ()) -> Cohort: ...


def stem(path: Path) -> str | None:
    """The file's name without .nii or .nii.gz, composed; None if it is not named like a NIfTI file."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return unicodedata.normalize("NFC", path.name[: -len(ending)])
    return None


_FOLLOWED: ContextVar[bool] = ContextVar("links that lead out of a layout's folder are followed", default=False)


@contextmanager
def links_followed(wanted: bool) -> Iterator[None]:
    """While the block runs, layouts read also what links lead to outside of their folder, if that is wanted."""
    token = _FOLLOWED.set(wanted)
    try:
        yield
    finally:
        _FOLLOWED.reset(token)


def images_under(root: Path) -> dict[Path, list[Path]]:
    """Every visible NIfTI file under ``root`` by folder, sorted; InputError if there is none or a link leads out."""
    if not root.is_dir():
        raise InputError(f"expected a folder at {root}, found {'a file' if root.exists() else 'nothing'}")
    found: dict[Path, list[Path]] = {}
    for path in _visible(root, followed=_FOLLOWED.get()):
        if stem(path) is not None:
            found.setdefault(path.parent, []).append(inside(path, root))
    if not found:
        raise InputError(f"expected NIfTI files (.nii or .nii.gz) somewhere under {root}, found none")
    return found


def inside(path: Path, root: Path) -> Path:
    """``path`` if it exists and stays inside ``root`` once every link is followed; CaseError otherwise."""
    check_text(str(path.relative_to(root)), f"a file's name below {root}")
    try:
        real = path.resolve()
        mode = real.stat().st_mode  # Python 3.13 resolves a link to itself without a word, and asks is_file() in vain
    except FileNotFoundError:
        mode = 0
    except (OSError, RuntimeError) as error:  # a link to itself, a name of too many letters
        raise CaseError(f"{path} cannot be followed ({reason(error)}); rename the file, or copy it there") from None
    if not mode and path.is_symlink():
        raise CaseError(f"{path} is a link to {real}, and nothing is there; mend it, or put the file in its place")
    if not real.is_relative_to(root.resolve()) and not _FOLLOWED.get():
        raise CaseError(f"{path} leads out of {root} (to {real}); {LEADS_OUT}")
    if not S_ISREG(mode):
        raise CaseError(f"expected a file at {path}, found {'a folder' if S_ISDIR(mode) else 'nothing'}")
    return path


def below(name: str, root: Path, where: str) -> Path:
    """The file that a table or a JSON file calls ``name``, relative to ``root``; CaseError where it leads out.

    ``where`` is the place that says so, for the message.
    """
    check_text(name, where)
    if Path(name).is_absolute() or ".." in re.split(r"[/\\]", name):
        raise CaseError(f"{where} is {name!r}; expected a name below {root}, without '..'")
    return inside(_as_on_disk(root, name), root)


def there(name: str, root: Path, where: str) -> Path | None:
    """As :func:`below`; None where no such file is there."""
    check_text(name, where)
    is_inside = not Path(name).is_absolute() and ".." not in re.split(r"[/\\]", name)
    path = _as_on_disk(root, name) if is_inside else root
    absent = is_inside and not path.exists() and not path.is_symlink()
    return None if absent else below(name, root, where)


def _as_on_disk(root: Path, name: str) -> Path:
    """The path below ``root`` with this name in whichever of Unicode's forms its parts stand on disk."""
    path = root
    if "\\" in name and not (root / name).exists():  # as Windows writes folders
        name = name.replace("\\", "/")
    for part in Path(name).parts:
        following = path / part
        if not part.isascii() and not following.exists() and path.is_dir():
            wanted = unicodedata.normalize("NFC", part)
            alike = [one for one in path.iterdir() if unicodedata.normalize("NFC", one.name) == wanted]
            following = alike[0] if len(alike) == 1 else following
        path = following
    return path


def class_named(text: str) -> str | None:
    """The class of a case; 1.0 is 1, as programs write whole numbers of a column in which one is missing."""
    return (text.partition(".")[0] if _WHOLE.fullmatch(text) else text) or None


def classes_of(labels: Iterable[str | None], where: object) -> tuple[str, ...]:
    """The classes that the cases have, sorted; InputError where two of them differ in how they are written alone."""
    found = sorted({label for label in labels if label})
    alike: dict[str, str] = {}
    for name in found:
        other = alike.setdefault(_without_spelling(name), name)
        if other != name:
            raise InputError(
                f"{where}: the classes {other!r} and {name!r} differ in how they are written alone; write them alike"
            )
    return tuple(found)


def _without_spelling(name: str) -> str:
    """The same for TRUE and true, for 1, 01 and 1e0, and for a name with letters that cannot be seen."""
    text = "".join(letter for letter in name.casefold() if unicodedata.category(letter) != "Cf").strip()
    try:
        return str(float(text))
    except ValueError:
        return text


def near_files(expected: str, names: Iterable[str]) -> str:
    """``; did you mean P02_Flair.nii.gz? Capitals count``: files that are nearly what was expected; else empty."""
    word = re.sub(r"\*|\.nii(\.gz)?$", "", expected.partition(" or ")[0].rpartition("/")[2]).strip(SEPARATORS)
    stems = {name: (stem(Path(name)) or "").lower() for name in names}
    near = [name for name, low in stems.items() if low and word.lower() in low]
    if not near:
        parts = {
            part: name for name, low in stems.items() for part in re.split(f"[{re.escape(SEPARATORS)}]", low) if part
        }
        near = [parts[part] for part in difflib.get_close_matches(word.lower(), parts, n=2, cutoff=0.75)]
    return f"; did you mean {' or '.join(near[:2])}? Capitals and spelling count" if word and near else ""


def named(modalities: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Modality name -> how its file or column is called; in a plain list each is called by its own name."""
    if isinstance(modalities, str) or not isinstance(modalities, Mapping | Sequence) or not modalities:
        raise SpecError(f"modalities: expected a list of names or {{name: suffix}}, found {modalities!r}")
    pairs = modalities.items() if isinstance(modalities, Mapping) else [(name, name) for name in modalities]
    called_by = {str(name): unicodedata.normalize("NFC", str(called)) for name, called in pairs}
    if len(set(called_by.values())) < len(modalities):
        raise SpecError(f"modalities: expected each name and suffix once, found {modalities!r}")
    return called_by


def regions_from(regions: Mapping[str, Sequence[int]] | None) -> tuple[Region, ...]:
    """Regions out of ``{name: [values]}``, in the order given; SpecError if a value is not a positive integer."""
    if not isinstance(regions, Mapping) or not regions:
        raise SpecError(f"regions: expected {{name: [label values]}} as in {{lesion: [1]}}, found {regions!r}")
    return tuple(Region(str(name), frozenset(whole_numbers(name, values))) for name, values in regions.items())


def meaning_of(regions: Iterable[Region], background_labels: Sequence[int]) -> dict[int, int]:
    """Value in the file -> value inside, for users' own regions: as it is, or 0 where it counts as background."""
    background = whole_numbers("background_labels", background_labels) if background_labels else []
    meant = {value: value for region in regions for value in sorted(region.labels)}
    if clash := sorted(set(background) & set(meant)):
        raise SpecError(f"background_labels: {clash} also stand in a region; a value is either or")
    return {**meant, **dict.fromkeys(background, 0)}


def whole_numbers(name: str, values: Iterable[int]) -> list[int]:
    """The label values as given; SpecError if there is none, or one is no positive integer."""
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    if not listed or any(type(v) is not int or v < 1 for v in listed):
        raise SpecError(f"{name}: expected label values above 0 (0 is background), found {values!r}")
    return listed


def lenience(may_lack: Sequence[str]) -> tuple[bool, bool]:
    """Whether images may be missing, whether labels may; SpecError for any other word."""
    words = [may_lack] if isinstance(may_lack, str) else list(may_lack)
    for word in words:
        if word not in MAY_LACK:
            raise SpecError(f"may_lack: {word!r} is not known; {nearest(str(word), MAY_LACK)}")
    return "images" in words, "labels" in words


def check_complete(case: Case, expected: Mapping[str, str], folder: Path, may_lack: Sequence[str]) -> Case:
    """The case itself if it has all it must; else CaseError with the names that were ``expected`` and those there.

    ``expected`` says how the file of each modality, and of ``label map`` where one is due, should be called.
    """
    images, labels = lenience(may_lack)
    lacks = [] if images and case.images else [name for name in expected if name not in {*case.images, "label map"}]
    if "label map" in expected and case.label_map is None and not labels:
        lacks.append("label map")
    if not lacks:
        return case
    names = [path.name for path in visible(folder)]
    there = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    wanted = "; ".join(f"{name} as {expected[name]}" for name in lacks)
    used = {path.name for path in case.files}
    near = next((text for name in lacks if (text := near_files(expected[name], sorted(set(names) - used)))), "")
    door = DOORS["labels" if lacks == ["label map"] else "images"]
    raise CaseError(
        f"case {case.id} in {folder}: expected {wanted}; found {there or 'nothing'}{near}. "
        f"Add the file, drop the case, or allow it with {door}"
    )


def linked_under(root: Path) -> Iterator[Path]:
    """Every visible file under the folder ``root``, also those that links lead to; InputError where a folder cannot be
    listed."""
    return _visible(root, followed=True)


def leading_out(root: Path) -> Path | None:
    """The first visible file under ``root`` that lies outside of it, behind a link; None where there is none."""
    if not root.is_dir():
        return None
    real = Path(os.path.realpath(root))
    return next((path for path in linked_under(root) if not Path(os.path.realpath(path)).is_relative_to(real)), None)


def _visible(root: Path, *, followed: bool) -> Iterator[Path]:
    entered = {root.resolve()}
    for folder, below, files in os.walk(root, followlinks=followed, onerror=_unlisted):
        below[:] = sorted(name for name in below if not is_junk(name))
        for name in list(below):  # a linked folder inside the root is met where it really is
            real = (Path(folder) / name).resolve()
            is_outside = not real.is_relative_to(root.resolve())
            if is_outside and not followed:
                raise CaseError(f"{Path(folder) / name} is a link that leads out of {root}; {LEADS_OUT}")
            if real in entered or ((Path(folder) / name).is_symlink() and not is_outside):
                below.remove(name)
            entered.add(real)
        yield from (Path(folder) / name for name in sorted(files) if not is_junk(name))


def _unlisted(error: OSError) -> None:
    """What a folder that cannot be read is told as; without it, its cases would be left out in silence."""
    raise InputError(f"{error.filename}: the system cannot list this folder: {error.strerror}") from None
