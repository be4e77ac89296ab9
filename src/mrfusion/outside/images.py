"""The images of cases that were predicted elsewhere: which file in a folder shows which case in which modality."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from mrfusion.case import Case
from mrfusion.errors import InputError
from mrfusion.files import read_json, visible
from mrfusion.layouts._base import SEPARATORS, stem
from mrfusion.scoring.pairing import ROLES

ONLY = "image"  # the modality of a file that is called as its case is
_LABEL = re.compile(rf"(?:^|[-_.])(?:{ROLES})$", re.IGNORECASE)
Images = Mapping[str, Case]  # by the case's id


def images_in(folder: Path, cases: Iterable[str]) -> Images:
    """The images of those cases that have any, in NIfTI files right in a folder or in the folders inside it.

    A file's name begins with its case's, and the rest of it is the modality: ``case-t1c.nii.gz``, ``case_0000.nii.gz``
    as nnU-Net has it (named by the ``dataset.json`` above, if there is one), ``case.nii.gz``. In a folder that is
    called as the case is, the names may leave the case out. Files that say that they are labels are passed over.
    Raises InputError where no case has an image.
    """
    known = sorted(cases, key=len, reverse=True)  # of case_1 and case_1_2 the longer name counts
    if not folder.is_dir():
        raise InputError(f"expected a folder of images at {folder}, found {'a file' if folder.exists() else 'nothing'}")
    channels = _channels(folder)
    found: dict[str, dict[str, Path]] = {}
    for inner in [folder, *(path for path in visible(folder) if path.is_dir())]:
        for path in visible(inner):
            case, rest = _read_name(path, known)
            if case and not _LABEL.search(rest):
                found.setdefault(case, {}).setdefault(channels.get(rest, rest) or ONLY, path)
    if not found:
        raise InputError(
            f"expected images in {folder} whose names begin with a case's, as in {known[-1]}_t1.nii.gz, found none; of "
            "another layout, name the YAML file of a study as --images, or --layout with one folder as --labels and "
            "--images"
        )
    return {case: Case(case, case, images) for case, images in found.items()}


def _read_name(path: Path, known: Iterable[str]) -> tuple[str, str]:
    """The case ('' for none) and the rest of the name; of a file that is no NIfTI file, nothing."""
    name = stem(path)
    if name is None:
        return "", ""
    for case in known:
        if name == case or (name.startswith(case) and name[len(case)] in SEPARATORS):
            return case, name[len(case) :].lstrip(SEPARATORS)
    folder = unicodedata.normalize("NFC", path.parent.name)
    return next(((case, name) for case in known if case == folder), ("", name))


def _channels(folder: Path) -> dict[str, str]:
    """nnU-Net's four digits to the channel's name, if a dataset.json in the folder or above it has any."""
    for place in (folder / "dataset.json", folder.parent / "dataset.json"):
        content = read_json(place) if place.is_file() else {}
        names = content.get("channel_names", {}) if isinstance(content, dict) else {}
        if isinstance(names, dict) and names:
            return {f"{int(number):04d}": str(name) for number, name in names.items() if str(number).isdigit()}
    return {}
