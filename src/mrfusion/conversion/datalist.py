"""MONAI's datalist: the files where they are, relative to the folder that holds them all, with a fold for each case."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrfusion.case import Case, Cohort, Split
from mrfusion.data.absence import are_absent
from mrfusion.errors import CaseError
from mrfusion.files import write_text
from mrfusion.progress import Progress

FILE = "datalist.json"


def write_datalist(cohort: Cohort, out: Path, *, splits: Sequence[Split], progress: Progress) -> Path:
    """Write ``out/datalist.json``; the folder that its names are relative to, ``base_dir`` in MONAI.

    ``fold`` of a case is the split that tests it; a case that none tests has no fold. Nothing is copied or changed, so
    all label maps must mean the same by their values; CaseError otherwise, and where a case lacks a file.
    """
    meaning = cohort.cases[0].label_values
    for case in cohort.cases:
        _check(case, cohort)
        if case.label_values != meaning:
            raise CaseError(
                f"case {case.id}: its label values mean {dict(case.label_values)}, those of {cohort.cases[0].id} "
                f"{dict(meaning)}; a datalist names files as they are, --to nnunet writes them alike"
            )
    root = Path(os.path.commonpath([path.resolve().parent for case in cohort.cases for path in case.files]))
    folds = {name: number for number, split in reversed(list(enumerate(splits))) for name in split.test}
    entries = [
        _entry(case, cohort, root) | ({"fold": folds[case.id]} if case.id in folds else {}) for case in cohort.cases
    ]
    write_text(out / FILE, json.dumps({**_labels(cohort), "training": entries}, indent=1) + "\n")  # regions in order
    progress(len(entries), len(entries), FILE)
    return root


def _labels(cohort: Cohort) -> dict[str, Any]:
    names = {"modality": {str(number): name for number, name in enumerate(cohort.modalities)}}
    if not cohort.regions:
        return names
    values = cohort.cases[0].label_values
    regions = {r.name: sorted(raw for raw, inside in values.items() if inside in r.labels) for r in cohort.regions}
    rest = sorted(raw for raw, inside in values.items() if inside == 0)
    return {**names, "regions": regions, "labels": {"background": 0, **regions, **({"rest": rest} if rest else {})}}


def _entry(case: Case, cohort: Cohort, root: Path) -> dict[str, Any]:
    files = [path.resolve().relative_to(root).as_posix() for path in (case.images[name] for name in cohort.modalities)]
    label = case.label if case.label_map is None else case.label_map.resolve().relative_to(root).as_posix()
    return {"id": case.id, "patient": case.patient, "image": files[0] if case.channels else files, "label": label}


def _check(case: Case, cohort: Cohort) -> None:
    absent = [name for name in cohort.modalities if name not in case.images]
    if absent or (case.label_map is None and case.label is None):
        raise CaseError(f"case {case.id}: {are_absent(absent or ['the label'])}; add the file, or drop the case")
    in_order = {name: number for number, name in enumerate(cohort.modalities)}
    if case.channels and (case.channels != in_order or len(set(case.images.values())) > 1):
        raise CaseError(
            f"case {case.id}: its modalities are not the volumes of one file in the order {', '.join(in_order)}; "
            "a datalist names files as they are, --to nnunet writes one for each"
        )
