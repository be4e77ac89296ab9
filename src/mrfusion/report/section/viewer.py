"""Cases to look through: three planes of a few test cases, with target and prediction of every arm laid over them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mrfusion.comparison.aggregate import MEAN
from mrfusion.errors import InputError
from mrfusion.report.part import Section, render
from mrfusion.report.volume import image_uri, mask_uri
from mrfusion.run_folder.pictures import Volume, read_volume
from mrfusion.study.load import LoadedStudy
from mrfusion.study.load_run import LoadedRun

MOST_CASES = 3
Found = dict[str, dict[str, tuple[LoadedRun, Volume]]]  # case to arm to its volume


def section(study: LoadedStudy) -> Section | None:
    """The viewer; None where no run kept a volume."""
    found, problems = _volumes(study)
    chosen = [case.id for case in study.cases if case.id in found][:MOST_CASES]
    cases = [_case(study, name, found[name]) for name in chosen]
    if not cases and not problems:
        return None
    html = render("section/viewer.html", cases=cases, problems=problems, regions=cases[0]["regions"] if cases else [])
    return Section("viewer", "Look through", html, data=(("volumes", cases),))


def _volumes(study: LoadedStudy) -> tuple[Found, list[str]]:
    """The kept volumes, from each arm's lowest seed that kept the case; and what could not be read."""
    found: Found = {}
    problems = []
    for run in sorted(study.done, key=lambda run: run.seed):
        for path in run.folder.volumes:
            try:
                volume = read_volume(path)
                found.setdefault(volume.case, {}).setdefault(run.arm, (run, volume))
            except InputError as error:
                problems.append(str(error))
    return found, problems


def _case(study: LoadedStudy, name: str, arms: dict[str, tuple[LoadedRun, Volume]]) -> dict[str, Any]:
    """One case as the page's script reads it; arms on another grid than the fullest are left out."""
    fullest = max((volume for _, volume in arms.values()), key=lambda volume: len(volume.modalities))
    same = {
        arm.name: arms[arm.name]
        for arm in study.arms
        if arm.name in arms and arms[arm.name][1].target.shape == fullest.target.shape
    }
    return {
        "id": name,
        "shape": fullest.target.shape,
        "spacing": fullest.spacing_mm,
        "start": _start(fullest),
        "clearest": _clearest(fullest),
        "images": [[m, image_uri(i)] for m, i in zip(fullest.modalities, fullest.images, strict=True)],
        "regions": fullest.regions,
        "target": mask_uri(fullest.target),
        "arms": [[arm, _score(study, run, name), mask_uri(volume.prediction)] for arm, (run, volume) in same.items()],
    }


def _start(volume: Volume) -> Sequence[int]:
    """The voxel to begin at: in every direction the plane that holds most of the target, else the middle."""
    sums = [(volume.target != 0).sum(axis=tuple(b for b in range(3) if b != a)) for a in range(3)]
    return [int(s.argmax()) if s.any() else len(s) // 2 for s in sums]


def _clearest(volume: Volume) -> int:
    """The place of the modality in which the target stands out most from the rest of the body."""
    inside, outside = volume.target != 0, (volume.target == 0) & (volume.images > 12).any(axis=0)
    if not inside.any() or not outside.any():
        return 0
    return int(np.argmax([abs(float(i[inside].mean()) - float(i[outside].mean())) for i in volume.images]))


def _score(study: LoadedStudy, run: LoadedRun, case: str) -> str:
    """What the run scored on the case, as the page writes it."""
    metric = study.metrics[0] if study.metrics else ""
    values = [row.value for row in run.scores if (row.case, row.metric) == (case, metric) and row.region != MEAN]
    known = [v for v in values if v == v]
    return f"{100 * sum(known) / len(known):.1f}" if known and metric == "dice" else ""
