"""The cases to look at: best, median and worst, then all from the worst up; every arm side by side with the target."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mrfusion.errors import InputError
from mrfusion.report.load import LoadedRun, LoadedStudy, StudyCase
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.overlay import Slice, contrast, data_uri, outline, read_slice
from mrfusion.report.part import Section, render
from mrfusion.study.aggregate import MEAN


@dataclass(frozen=True)
class Panel:
    """One arm's outlines on one case: (region's place, path) and the words for whoever cannot see them."""

    arm: str
    seed: int
    digest: str
    score: str
    regions: tuple[tuple[str, str], ...]
    prediction: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class CaseView:
    """One case: its images (modality's place, address) and target once, and a panel per arm that tested it.

    Without a slice there is no panel.
    """

    anchor: str
    case: StudyCase
    role: str
    score: str
    images: tuple[tuple[int, str], ...] = ()
    target: tuple[tuple[int, str], ...] = ()
    size_mm: tuple[float, float] = (1.0, 1.0)
    box_mm: tuple[float, ...] = (0.0, 0.0, 1.0, 1.0)
    half_pixel_mm: tuple[float, float] = (0.5, 0.5)
    panels: tuple[Panel, ...] = ()


def section(study: LoadedStudy) -> Section | None:
    """Overlays of every scored case, the worst first; None without scores."""
    if not study.metrics:
        return None
    metric = metric_named(study.metrics[0])
    slices, problems = _slices(study)
    ranked = _ranked(study, metric)
    roles = _roles([name for name, _ in ranked])
    views = [_view(study, metric, roles.get(name, ""), slices.get(name, {}), (name, mean)) for name, mean in ranked]
    order = ("best", "median", "worst")
    chosen = sorted((v for v in views if v.role), key=lambda v: order.index(v.role.split(" ")[0]))
    shown = {place for view in views for place, _ in view.images}
    html = render(
        "section/cases.html",
        metric=metric,
        chosen=chosen,
        others=[view for view in views if not view.role],
        modalities=[(n, name) for n, name in enumerate(study.modalities) if n in shown],
        first=study.modalities.index(_clearest(slices)) if shown else 0,
        regions=study.regions,
        problems=problems,
    )
    return Section("cases", "Cases to look at", html)


def _slices(study: LoadedStudy) -> tuple[dict[str, dict[str, tuple[LoadedRun, Slice]]], list[str]]:
    """Case to arm to (run, slice), from each arm's lowest seed that tested the case; and what could not be read."""
    found: dict[str, dict[str, tuple[LoadedRun, Slice]]] = {}
    problems = []
    for run in _first_seeds(study):
        for path in run.slices:
            try:
                picture = read_slice(path)
                arms = found.setdefault(picture.case, {})
                _check_same(picture, next(iter(arms.values()))[1] if arms else picture, study, path)
                arms.setdefault(run.arm, (run, picture))
            except InputError as error:
                problems.append(str(error))
    return found, problems


def _clearest(slices: dict[str, dict[str, tuple[LoadedRun, Slice]]]) -> str:
    """The modality to show first: where the targets differ most from the rest, over all cases."""
    sums: dict[str, float] = {}
    for arms in slices.values():
        picture = _fullest(arms)
        for name in picture.modalities:
            sums[name] = sums.get(name, 0.0) + contrast(picture).get(name, 0.0)
    return max(sums, key=lambda name: sums[name])


def _fullest(arms: dict[str, tuple[LoadedRun, Slice]]) -> Slice:
    """Of a case's pictures the first with the most modalities; an arm that reads one may have kept only that one."""
    return max((picture for _, picture in arms.values()), key=lambda picture: len(picture.modalities))


def _first_seeds(study: LoadedStudy) -> list[LoadedRun]:
    """Of every arm and fold the run with the lowest seed that left pictures."""
    first: dict[tuple[str, int], LoadedRun] = {}
    for run in sorted(study.done, key=lambda run: run.seed):
        if run.slices:
            first.setdefault((run.arm, run.fold), run)
    return list(first.values())


def _check_same(picture: Slice, other: Slice, study: LoadedStudy, path: Path) -> None:
    """Arms can stand side by side only on one slice; InputError says which file shows another."""
    mine, theirs = ((p.index, p.images.shape[1:]) for p in (picture, other))
    known = {*study.regions, *study.modalities}
    named = {*picture.regions, *picture.modalities}
    if mine != theirs or not named <= known:
        raise InputError(
            f"expected slice {theirs[0]} of size {theirs[1]} with the study's modalities and regions at {path}, "
            f"found slice {mine[0]} of size {mine[1]} with {', '.join(sorted(named))}; it is not drawn"
        )


def _ranked(study: LoadedStudy, metric: Metric) -> list[tuple[str, float]]:
    """(case, mean over arms of its mean over regions), the worst first; cases without any value come first of all."""
    values: dict[str, list[float]] = {}
    for row in study.case_rows:
        if (row.metric, row.region) == (metric.name, MEAN):
            values.setdefault(row.case, []).append(row.value)
    means = {case: _mean([v for v in found if not math.isnan(v)]) for case, found in values.items()}
    return sorted(means.items(), key=lambda item: metric.merit(item[1]))


def _roles(ranked: list[str]) -> dict[str, str]:
    """Which case is the best, the median and the worst; with fewer than three cases, as far as they go."""
    places = {"worst": 0, "best": len(ranked) - 1, "median": (len(ranked) - 1) // 2}
    roles: dict[str, str] = {}
    for role, place in places.items():
        if ranked and ranked[place] not in roles:
            roles[ranked[place]] = role
    return roles


def _view(
    study: LoadedStudy,
    metric: Metric,
    role: str,
    slices: dict[str, tuple[LoadedRun, Slice]],
    ranked: tuple[str, float],
) -> CaseView:
    name, mean = ranked
    place, case = next((n, case) for n, case in enumerate(study.cases) if case.id == name)
    view = CaseView(f"case-{place}", case, role, metric.text(mean))
    pictures = [slices[arm.name] for arm in study.arms if arm.name in slices]
    if not pictures:
        return view
    shown = _fullest(slices)
    return CaseView(
        anchor=view.anchor,
        case=case,
        role=role,
        score=view.score,
        images=tuple(
            (study.modalities.index(name), data_uri(image))
            for name, image in zip(shown.modalities, shown.images, strict=True)
        ),
        target=_outlines(study, shown.regions, shown.target),
        size_mm=shown.size_mm,
        box_mm=shown.box_mm,
        half_pixel_mm=(shown.pixel_mm[1] / 2, shown.pixel_mm[0] / 2),
        panels=tuple(_panel(study, metric, run, picture) for run, picture in pictures),
    )


def _panel(study: LoadedStudy, metric: Metric, run: LoadedRun, picture: Slice) -> Panel:
    values = {r.region: r.value for r in run.scores if (r.case, r.metric) == (picture.case, metric.name)}
    mean = _mean([v for v in values.values() if not math.isnan(v)])
    return Panel(
        arm=run.arm,
        seed=run.seed,
        digest=run.digest,
        score=metric.text(mean),
        regions=tuple((region, metric.text(value)) for region, value in values.items()),
        prediction=_outlines(study, picture.regions, picture.prediction),
    )


def _outlines(study: LoadedStudy, names: tuple[str, ...], masks: npt.NDArray[np.uint8]) -> tuple[tuple[int, str], ...]:
    """(the region's place in the study, path) for every region that the masks [R, H, W] hold."""
    paths = [(study.regions.index(name), outline(mask)) for name, mask in zip(names, masks, strict=True)]
    return tuple((place, path) for place, path in paths if path)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
