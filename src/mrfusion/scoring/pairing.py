"""Which file of one folder belongs to which of another: by case id, which is a name without what says its role.

``BraTS-GLI-00001-000.nii.gz``, ``BraTS-GLI-00001-000-seg.nii.gz`` and ``BraTS-GLI-00001-000/...-seg.nii.gz`` are the
same case. A case is one file (a label map) or one file per region (``case_WT.nii.gz``, or ``case/WT.nii.gz``).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrfusion.errors import CaseError, nearest
from mrfusion.files import visible

ENDINGS = (".nii.gz", ".nii", ".png")
ROLES = "seg|segmentation|pred|prediction|gt|label|labels|labelmap|mask|msk|output"
_ROLE = re.compile(rf"(?:^|[-_.])(?:{ROLES})$", re.IGNORECASE)
Files = Mapping[str, Path]  # region's name, or "" for a label map -> file


@dataclass(frozen=True)
class Pair:
    """One case: its prediction and its label, each a label map or one mask per region."""

    case: str
    prediction: Files
    label: Files


def pairs(
    predictions: Path, labels: Path | Mapping[str, Files], region_names: Sequence[str], *, selection: bool = False
) -> list[Pair]:
    """Every case of both folders, sorted by id. CaseError that names a case which only one of them has.

    ``labels`` are a folder, or each case's files. With ``selection`` they may have more cases than were predicted.
    """
    predicted = cases_in(predictions, region_names)
    labelled = cases_in(labels, region_names) if isinstance(labels, Path) else labels
    for case in predicted:
        if case not in labelled:
            raise CaseError(
                f"case {case}: a prediction in {predictions} but no label in {_said(labels)}; {_near(case, labelled)}"
            )
    for case in labelled:
        if case not in predicted and not selection:
            raise CaseError(
                f"case {case}: a label in {_said(labels)} but no prediction in {predictions}; predict it, or ask for "
                f"the predicted subset only. {_near(case, predicted)}"
            )
    return [Pair(case, predicted[case], labelled[case]) for case in sorted(predicted)]


def cases_in(folder: Path, region_names: Sequence[str]) -> Mapping[str, Files]:
    """Case id -> its files, out of the files in a folder and in the folders right inside it."""
    if not folder.is_dir():
        raise CaseError(f"expected a folder at {folder}, found {'a file' if folder.exists() else 'nothing'}")
    found: dict[str, dict[str, Path]] = {}
    for inner in [folder, *(path for path in visible(folder) if path.is_dir())]:
        for path in _label_files(inner, region_names, one_case=inner != folder):
            read, region = _read_name(path, region_names)
            case = read or unicodedata.normalize("NFC", inner.name)
            files = found.setdefault(case, {})
            if region in files:
                raise CaseError(f"case {case}: {files[region]} and {path} both claim it; remove one")
            files[region] = path
    for case, files in found.items():
        missing = [name for name in region_names if name not in files]
        if "" not in files and missing:
            raise CaseError(f"case {case}: masks of {', '.join(files)} but none of {', '.join(missing)} in {folder}")
    if not found:
        raise CaseError(f"expected label maps ({', '.join(ENDINGS)}) in {folder} or in a folder per case, found none")
    return found


def _label_files(folder: Path, region_names: Sequence[str], *, one_case: bool) -> list[Path]:
    """The files that can be labels; in a case's own folder, which has images too, those that say so by their names."""
    files = [path for path in visible(folder) if path.name.lower().endswith(ENDINGS)]
    if not one_case or len(files) <= 1:
        return files
    told = [p for p in files if _ROLE.search(_stem(p)) or _read_name(p, region_names)[1]]
    if not told:
        raise CaseError(
            f"case {folder.name}: which of {', '.join(p.name for p in files)} in {folder} is the label map? "
            f"Name it with one of {ROLES.replace('|', ', ')} at its end, as in {folder.name}_seg.nii.gz"
        )
    return told


def _read_name(path: Path, region_names: Sequence[str]) -> tuple[str, str]:
    """Case id ('' where the name is its role alone) and the region's name ('' for a label map)."""
    case, region = _ROLE.sub("", _stem(path)), ""
    for name in region_names:
        match = re.search(rf"(?:^|[-_.]){re.escape(name)}$", case)
        if match:
            case, region = case[: match.start()], name
    return _ROLE.sub("", case), region


def _said(labels: Path | Mapping[str, Files]) -> str:
    return str(labels) if isinstance(labels, Path) else f"the data set of {len(labels)} cases"


def _stem(path: Path) -> str:
    name = unicodedata.normalize("NFC", path.name)
    return next(name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending))


def _near(case: str, known: Mapping[str, Files]) -> str:
    return nearest(case, known) if len(known) < 20 else nearest(case, known).partition("Known:")[0]
