"""nnU-Net's raw data: dataset.json, imagesTr/<case>_0000.nii.gz a channel, labelsTr/<case>.nii.gz; version 1 or 2.

Modalities, labels and regions are those of dataset.json. ``part=Ts`` reads imagesTs, whose labels, if there are any,
lie in labelsTs. Give splits_final.json with ``data.split.file``. nnU-Net knows no patients: each case is its own, but
where ``mrfusion convert`` wrote the data set, it noted them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrfusion.case import Case, Cohort
from mrfusion.errors import InputError, SpecError, nearest
from mrfusion.files import visible
from mrfusion.layouts._base import ENDINGS, below, check_complete, inside, stem
from mrfusion.layouts._dataset_json import FILE, channel_names, peek, read_object, regions_of

PARTS = ("Tr", "Ts")
_CHANNEL = re.compile(r"(.+)_(\d{4})\Z")


def nnunet_raw(
    root: Path,
    *,
    part: str = "Tr",
    regions: Mapping[str, Sequence[int]] | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The cases of ``root``, which holds dataset.json. ``regions`` replace those of the file, by its values.

    Options:
        part: Tr (training) or Ts (test)
        regions: regions by name, each a list of label values; default: those of dataset.json
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: nnunet_raw(part=Tr)
    """
    if part not in PARTS:
        raise SpecError(f"nnunet_raw: no part is called {part!r}; {nearest(str(part), PARTS)}")
    path = root / FILE
    if not path.is_file():
        raise InputError(f"expected nnU-Net's {FILE} in {root}, found none")
    content = read_object(path)
    names = channel_names(content, path)
    chosen, meaning = regions_of(content, path, regions)
    if content.get("file_ending", ENDINGS[0]) not in ENDINGS:
        raise InputError(
            f"{path}: expected file_ending .nii.gz or .nii, found {content['file_ending']!r}; convert them"
        )
    found = (
        _listed(root, content, names, path) if part == "Tr" and content.get("dataset") else _files(root, part, names)
    )
    if not found:
        raise InputError(f"expected files such as images{part}/case_0000.nii.gz in {root}, found none")
    patients = _patients(content)
    cases = []
    for name, files in sorted(found.items()):
        images = {modality: files[modality] for modality in names if modality in files}
        case = Case(name, patients.get(name, name), images, files.get(""), None, meaning)
        expected = {m: f"images{part}/{name}_{n:04d}.nii.gz" for n, m in enumerate(names)}
        folder = next(iter(files.values())).parent
        cases.append(check_complete(case, {**expected, "label map": f"labels{part}/{name}.nii.gz"}, folder, may_lack))
    return Cohort(tuple(names), tuple(cases), chosen)


def fits(root: Path) -> str | None:
    """Whether dataset.json lies beside imagesTr with a number for each channel."""
    is_so = bool(peek(root / FILE)) and any(_CHANNEL.match(stem(p) or "") for p in _visible(root / "imagesTr"))
    return "nnunet_raw" if is_so or isinstance(peek(root / FILE).get("dataset"), dict) else None


def _files(root: Path, part: str, names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Case -> modality -> file, the label map under the empty name."""
    found: dict[str, dict[str, Path]] = {}
    for path in _visible(root / f"images{part}"):
        match = _CHANNEL.match(stem(path) or "")
        if match and int(match[2]) < len(names):
            _put(found.setdefault(match[1], {}), names[int(match[2])], inside(path, root))
    for path in _visible(root / f"labels{part}"):
        name = stem(path)
        if name is not None and name in found:
            _put(found[name], "", inside(path, root))
    return found


def _listed(root: Path, content: Mapping[str, Any], names: Sequence[str], path: Path) -> dict[str, dict[str, Path]]:
    """The same from the ``dataset`` of dataset.json, which names every file."""
    found: dict[str, dict[str, Path]] = {}
    try:
        for name, entry in content["dataset"].items():
            images = [below(image, root, f"{path}: {name}") for image in entry["images"]]
            files = dict(zip(names, images, strict=True))
            found[name] = files | ({"": below(entry["label"], root, f"{path}: {name}")} if "label" in entry else {})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: dataset: expected {{case: {{images: [a file for each of {', '.join(names)}], label: a file}}}}, "
            f"found something else ({error})"
        ) from None
    return found


def _put(files: dict[str, Path], name: str, path: Path) -> None:
    if name in files:
        raise InputError(f"expected one file of {name or 'labels'}, found {files[name]} and {path}; remove one")
    files[name] = path


def _patients(content: Mapping[str, Any]) -> dict[str, str]:
    noted = content.get("patients")
    return {str(case): str(patient) for case, patient in noted.items()} if isinstance(noted, dict) else {}


def _visible(folder: Path) -> list[Path]:
    return visible(folder) if folder.is_dir() else []
