"""BraTS 2018 to 2024: both spellings of file names, label conventions by year, patients without time points.

Found anywhere under the root: ``<id>_flair.nii.gz`` or ``<id>-t2f.nii.gz`` and so on; the prefix is the case's id,
whatever its folder is called. Modalities are t1n, t1c, t2w, t2f inside. Label values inside are 1 NCR (necrosis and
non-enhancing core), 2 ED (oedema), 3 ET (enhancing) and, after treatment, 4 RC (resection cavity).

A patient may stand in BraTS of several years under unrelated names; no table of these is public, so a cohort made of
several years can hold a patient twice.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mrfusion.case import Case, Cohort
from mrfusion.errors import InputError, SpecError, nearest
from mrfusion.layouts._base import check_complete, images_under, linked_under, regions_from, stem

MODALITIES = {"t1n": ("_t1", "-t1n"), "t1c": ("_t1ce", "-t1c"), "t2w": ("_t2", "-t2w"), "t2f": ("_flair", "-t2f")}
LABELS = ("_seg", "-seg")
REGIONS = {"WT": [1, 2, 3], "TC": [1, 3], "ET": [3]}
_OLD, _NEW = {1: 1, 2: 2, 4: 3}, {1: 1, 2: 2, 3: 3}
CONVENTIONS: dict[str, dict[int, dict[int, int]]] = {
    "glioma": {2018: _OLD, 2019: _OLD, 2020: _OLD, 2021: _OLD, 2023: _NEW, 2024: _NEW},
    "post_treatment": {2024: {**_NEW, 4: 4}},
}
_NAMES = [(ending, name) for name, endings in MODALITIES.items() for ending in endings] + [
    (ending, "label map") for ending in LABELS
]
_TIME_POINT = re.compile(r"^(BraTS-[A-Za-z]+-\d+)-\d+$|^(Bra[Tt][Ss]1[789]_.+)_\d+$")


def brats(
    root: Path,
    *,
    year: int,
    dataset: str = "glioma",
    regions: Mapping[str, Sequence[int]] | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The BraTS cases under ``root``.

    ``year`` says what the values in the label maps mean (2018-2021: 1/2/4; 2023, 2024: 1/2/3) and is never guessed
    from them. ``dataset`` is ``glioma``, or ``post_treatment`` for the adult gliomas of 2024, which add 4, the
    resection cavity, as region RC. ``regions`` in terms of the values inside replace WT {1,2,3}, TC {1,3}, ET {3}.

    Options:
        year: year of the challenge, which decides names and label values
        dataset: glioma, meningioma or another of that year
        regions: regions by name, each a list of label values; default: those of the challenge
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: brats(year=2023)
    """
    meaning = _convention(year, dataset)
    chosen = regions or {**REGIONS, **({"RC": [4]} if 4 in meaning.values() else {})}
    found = {group: files for folder, paths in images_under(root).items() for group, files in _cases(folder, paths)}
    if not found:
        raise InputError(
            f"expected BraTS files such as BraTS2021_00001_flair.nii.gz or BraTS-GLI-00001-000-t2f.nii.gz "
            f"under {root}, found no name that ends in " + ", ".join(ending for ending, _ in _NAMES)
        )
    cases = tuple(_case(folder, name, files, meaning, may_lack) for (folder, name), files in sorted(found.items()))
    return Cohort(tuple(MODALITIES), cases, regions_from(chosen))


def fits(root: Path) -> str | None:
    """Old spelling or new, by the first file of contrast-enhanced T1; of each the values in label maps are the same."""
    if not root.is_dir():
        return None
    for path in linked_under(root):
        for ending, text in (("_t1ce", "brats(year=2021)"), ("-t1c", "brats(year=2023)")):
            if (stem(path) or "").endswith(ending):
                return text
    return None


def patient_of(case_id: str) -> str:
    """The id without its time point: BraTS-GLI-00012-001 and BraTS-GLI-00012-000 are one patient."""
    match = _TIME_POINT.match(case_id)
    return next(part for part in match.groups() if part) if match else case_id


def _convention(year: int, dataset: str) -> dict[int, int]:
    if dataset not in CONVENTIONS:
        raise SpecError(f"brats: no dataset is called {dataset!r}; {nearest(str(dataset), CONVENTIONS)}")
    if year not in CONVENTIONS[dataset]:
        years = ", ".join(map(str, CONVENTIONS[dataset]))
        raise SpecError(f"brats: the label values of {dataset} are known for the years {years}, found {year!r}")
    return CONVENTIONS[dataset][year]


def _cases(folder: Path, paths: list[Path]) -> list[tuple[tuple[Path, str], dict[str, Path]]]:
    """The files of one folder by case: an id may stand in several folders, which the cohort refuses by name."""
    cases: dict[str, dict[str, Path]] = {}
    for path in paths:
        body = stem(path) or ""
        for ending, name in _NAMES:
            if body.endswith(ending):
                files = cases.setdefault(body.removesuffix(ending), {})
                if name in files:
                    raise InputError(f"expected one {name} for a case, found {files[name]} and {path}; remove one")
                files[name] = path
    return [((folder, case_id), files) for case_id, files in cases.items()]


def _case(folder: Path, name: str, files: dict[str, Path], meaning: dict[int, int], may_lack: Sequence[str]) -> Case:
    images = {modality: files[modality] for modality in MODALITIES if modality in files}
    case = Case(name, patient_of(name), images, files.get("label map"), label_values=meaning)
    expected = {m: f"{name}{old}.nii.gz or {name}{new}.nii.gz" for m, (old, new) in MODALITIES.items()}
    labels = f"{name}{LABELS[0]}.nii.gz or {name}{LABELS[1]}.nii.gz"
    return check_complete(case, {**expected, "label map": labels}, folder, may_lack)
