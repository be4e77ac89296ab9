"""The cases to look at: best, median and worst, then all from the worst up; every arm side by side with the target.

Of a large cohort the worst are drawn and the others named: a picture of each case and arm would make a page that no
browser opens.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mrfusion.comparison.aggregate import MEAN
from mrfusion.errors import InputError
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.overlay import contrast, data_uri, outline
from mrfusion.report.part import Section, render
from mrfusion.report.wording import region
from mrfusion.run_folder.pictures import Slice, read_slice
from mrfusion.study.load import LoadedStudy, StudyCase
from mrfusion.study.load_run import LoadedRun

MOST_DRAWN = 150
Pictures = dict[str, dict[str, tuple[LoadedRun, Slice]]]  # case to arm to its picture


@dataclass(frozen=True)
class Frame:
    """A slice of a case with its images (modality's place, address) and target; arms on the same slice share it."""

    anchor: str
    images: tuple[tuple[int, str], ...]
    target: tuple[tuple[int, str], ...]
    size_mm: tuple[float, float]
    box_mm: tuple[float, ...]
    half_pixel_mm: tuple[float, float]

    def first(self, place: int) -> int:
        """The image to begin with: that of the modality at this place, if the frame has it."""
        places = [place for place, _ in self.images]
        return place if place in places else places[0]


@dataclass(frozen=True)
class Panel:
    """One arm's outlines on one case: (region's place, path) and the words for whoever cannot see them."""

    arm: str
    frame: Frame
    seed: int
    digest: str
    score: str
    regions: tuple[tuple[str, str], ...]
    prediction: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class CaseView:
    """One case and a panel per arm that tested it; without slices there is no panel."""

    anchor: str
    case: StudyCase
    role: str
    score: str
    frames: tuple[Frame, ...] = ()
    panels: tuple[Panel, ...] = ()


def section(study: LoadedStudy) -> Section | None:
    """Overlays of every scored case, the worst first; None without scores."""
    if not study.metrics:
        return None
    metric = metric_named(study.metrics[0])
    ranked = _ranked(study, metric)
    roles = _roles([name for name, _ in ranked])
    asked = drawn(study)
    slices, problems = _slices(study, asked)
    views = [_view(study, metric, roles.get(name, ""), slices.get(name, {}), (name, mean)) for name, mean in ranked]
    order = ("best", "median", "worst")
    chosen = sorted((v for v in views if v.role), key=lambda v: order.index(v.role.split(" ")[0]))
    shown = {place for view in views for frame in view.frames for place, _ in frame.images}
    html = render(
        "section/cases.html",
        metric=metric,
        chosen=chosen,
        others=[view for view in views if not view.role],
        modalities=[(n, name) for n, name in enumerate(study.modalities) if n in shown],
        first=study.modalities.index(_clearest(slices)) if shown else 0,
        regions=study.drawn_regions,
        problems=problems,
        drawn=asked,
        most=MOST_DRAWN,
        kept=study.folder.runs.is_dir(),
    )
    return Section("cases", "Cases to look at", html)


def drawn(study: LoadedStudy) -> list[str]:
    """The cases that the section draws where it finds their pictures: best, median and worst, then the worst ones."""
    if not study.metrics:
        return []
    names = [name for name, _ in _ranked(study, metric_named(study.metrics[0]))]
    return list(dict.fromkeys([*_roles(names), *names[:MOST_DRAWN]]))


def _slices(study: LoadedStudy, wanted: Collection[str]) -> tuple[Pictures, list[str]]:
    """The pictures of the ``wanted`` cases, from the lowest seed of each arm; and what could not be read."""
    found: Pictures = {}
    problems = []
    for run in _first_seeds(study):
        for path in run.slices:
            try:
                picture = read_slice(path)
                _check_known(picture, study, path)
                if picture.case in wanted:
                    found.setdefault(picture.case, {}).setdefault(run.arm, (run, picture))
            except InputError as error:
                problems.append(str(error))
    return found, problems


def _clearest(slices: Pictures) -> str:
    """The modality to show first: where the targets differ most from the rest, over all cases."""
    sums: dict[str, float] = {}
    for arms in slices.values():
        picture = max((picture for _, picture in arms.values()), key=_fullness)
        for name in picture.modalities:
            sums[name] = sums.get(name, 0.0) + contrast(picture).get(name, 0.0)
    return max(sums, key=lambda name: sums[name])


def _fullness(picture: Slice) -> int:
    """An arm that reads one modality keeps only that one; of equal slices the fullest is shown."""
    return len(picture.modalities)


def _first_seeds(study: LoadedStudy) -> list[LoadedRun]:
    """Of every arm and fold the run with the lowest seed that left pictures."""
    first: dict[tuple[str, int], LoadedRun] = {}
    for run in sorted(study.done, key=lambda run: run.seed):
        if run.slices:
            first.setdefault((run.arm, run.fold), run)
    return list(first.values())


def _check_known(picture: Slice, study: LoadedStudy, path: Path) -> None:
    unknown = {*picture.modalities, *picture.regions} - {*study.modalities, *study.drawn_regions}
    if unknown:
        raise InputError(
            f"expected the modalities and regions of cohort.json at {path}, found {', '.join(sorted(unknown))}; "
            "it is not drawn"
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
    pictures = [slices[arm.name] for arm in study.arms if arm.name in slices]
    same = _same_slices([picture for _, picture in pictures])
    frames = {key: _frame(study, picture, f"case-{place}-{n}") for n, (key, picture) in enumerate(same.items())}
    panels = tuple(_panel(study, metric, run, picture, frames[_slice_key(picture)]) for run, picture in pictures)
    return CaseView(f"case-{place}", case, role, metric.text(mean), tuple(frames.values()), panels)


def _slice_key(picture: Slice) -> Hashable:
    """Pictures with the same key show the same slice with the same target on the same grid."""
    return picture.index, picture.pixel_mm, picture.target.shape, picture.target.tobytes()


def _same_slices(pictures: Sequence[Slice]) -> dict[Hashable, Slice]:
    """Of every slice the picture with the most modalities."""
    found: dict[Hashable, Slice] = {}
    for picture in sorted(pictures, key=_fullness, reverse=True):
        found.setdefault(_slice_key(picture), picture)
    return found


def _frame(study: LoadedStudy, picture: Slice, anchor: str) -> Frame:
    images = zip(picture.modalities, picture.images, strict=True)
    return Frame(
        anchor=anchor,
        images=tuple((study.modalities.index(name), data_uri(image)) for name, image in images),
        target=_outlines(study, picture.regions, picture.target),
        size_mm=picture.size_mm,
        box_mm=picture.box_mm,
        half_pixel_mm=(picture.pixel_mm[1] / 2, picture.pixel_mm[0] / 2),
    )


def _panel(study: LoadedStudy, metric: Metric, run: LoadedRun, picture: Slice, frame: Frame) -> Panel:
    values = {r.region: r.value for r in run.scores if (r.case, r.metric) == (picture.case, metric.name)}
    return Panel(
        arm=run.arm,
        frame=frame,
        seed=run.seed,
        digest=run.digest,
        score=metric.text(_mean([v for v in values.values() if not math.isnan(v)])),
        regions=tuple((region(name), metric.text(value)) for name, value in values.items()),
        prediction=_outlines(study, picture.regions, picture.prediction),
    )


def _outlines(study: LoadedStudy, names: tuple[str, ...], masks: npt.NDArray[np.uint8]) -> tuple[tuple[int, str], ...]:
    """(the region's place in the study, path) for every region that the masks [R, H, W] hold."""
    paths = [(study.drawn_regions.index(name), outline(mask)) for name, mask in zip(names, masks, strict=True)]
    return tuple((place, path) for place, path in paths if path)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
