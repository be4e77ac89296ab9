"""Medical Segmentation Decathlon: dataset.json lists the files; a file of four dimensions holds all modalities.

Modalities are those of dataset.json, in the order of the fourth axis; each label is a region. Only what a run reads is
taken out of a file, in one pass. ``part=test`` reads the cases without labels. Each case is a patient of its own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrfusion.case import Case, Cohort
from mrfusion.errors import InputError, SpecError, nearest
from mrfusion.layouts._base import check_complete, stem, there
from mrfusion.layouts._dataset_json import FILE, channel_names, entries, peek, read_object, regions_of

PARTS = ("training", "test")


def msd(
    root: Path,
    *,
    part: str = "training",
    regions: Mapping[str, Sequence[int]] | None = None,
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The cases of ``root``, which holds dataset.json. ``regions`` replace the labels one by one, by their values.

    Options:
        part: training or test
        regions: regions by name, each a list of label values; default: one for each label of dataset.json
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: msd(part=training)
    """
    if part not in PARTS:
        raise SpecError(f"msd: no part is called {part!r}; {nearest(str(part), PARTS)}")
    path = root / FILE
    if not path.is_file():
        raise InputError(f"expected the {FILE} of a decathlon's task in {root}, found none")
    content = read_object(path)
    names = channel_names(content, path)
    chosen, meaning = regions_of(content, path, regions)
    found = entries(content, part, path)
    if not found:
        raise InputError(f"{path}: expected cases under {part!r}, found none")
    channels = {name: number for number, name in enumerate(names)} if len(names) > 1 else {}
    cases = []
    for entry in found:
        image, label = _names(entry, path)
        case_id = stem(Path(image)) or image
        file = there(image, root, f"{path}: image")
        images = dict.fromkeys(names, file) if file else {}
        label_map = there(label, root, f"{path}: label") if label else None
        case = Case(case_id, case_id, images, label_map, None, meaning, channels)
        expected = {**dict.fromkeys(names, image), "label map": label or f"labelsTr/{Path(image).name}"}
        cases.append(check_complete(case, expected, root, may_lack))
    return Cohort(tuple(names), tuple(cases), chosen)


def fits(root: Path) -> str | None:
    """Whether dataset.json lists files that are there, a name each."""
    listed = peek(root / FILE).get("training")
    first = listed[0] if isinstance(listed, list) and listed else None
    image = first.get("image") if isinstance(first, dict) else first
    return "msd" if isinstance(image, str) and "modality" in peek(root / FILE) and (root / image).is_file() else None


def _names(entry: Any, path: Path) -> tuple[str, str | None]:
    """Image and label map of ``{image, label}``, or of the name alone, as tests are listed."""
    named = entry if isinstance(entry, dict) else {"image": entry}
    image, label = named.get("image"), named.get("label")
    if not isinstance(image, str) or not isinstance(label, str | None):
        raise InputError(f"{path}: expected {{'image': a file, 'label': a file}}, found {str(entry)[:80]!r}")
    return image, label
