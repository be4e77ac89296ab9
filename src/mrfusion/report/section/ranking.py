"""The arms ranked by their means, with every patient, and what a run of each cost."""

from dataclasses import dataclass

from mrfusion.comparison.aggregate import MEAN, ArmMean, patient_means
from mrfusion.report.figure import colour
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.scale import Scale, scale_of
from mrfusion.report.wording import number
from mrfusion.study.load import Arm, LoadedStudy

_PATHS = (  # the mean's marker by the arm's place, as figure.SYMBOLS draws them
    "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1-6 0z",
    "M0-7.5L7.5 0 0 7.5-7.5 0z",
    "M-5.5-5.5h11v11h-11z",
    "M0-7L7 5.5H-7z",
    "M-2-6.5h4v4.5h4.5v4h-4.5v4.5h-4v-4.5h-4.5v-4h4.5z",
    "M0 7L7-5.5H-7z",
    "M0-7L6.7-2.2 4.1 5.7H-4.1L-6.7-2.2z",
    "M-6-3.2L-3.2-6 0-2.8 3.2-6 6-3.2 2.8 0 6 3.2 3.2 6 0 2.8-3.2 6-6 3.2-2.8 0z",
)


@dataclass(frozen=True)
class Ranked:
    """One arm in the ranking; places are in percent of the number line."""

    arm: Arm
    mean: ArmMean
    difference: str
    colour: str
    marker: str
    patients: tuple[float, ...]
    seconds: float
    parameters: float


def section(study: LoadedStudy) -> Section | None:
    """The ranking by the first metric's mean over regions; None without scores."""
    metric = metric_named(study.metrics[0]) if study.metrics else None
    ranking = _ranking(study, metric) if metric else []
    if metric is None or not ranking:
        return None
    line = scale_of([v for row in ranking for v in (*row.patients, row.mean.low, row.mean.high)])
    html = render(
        "section/ranking.html",
        study=study,
        metric=metric,
        ranking=ranking,
        place=line.place,
        ticks=_ticks(line),
        reference_mean=next((row.mean.mean for row in ranking if row.arm.name == study.reference), None),
        answer=_answer(study, metric, ranking),
    )
    return Section("ranking", "Ranking", html)


def _ranking(study: LoadedStudy, metric: Metric) -> list[Ranked]:
    """The arms that have a value, best first."""
    rows = [_ranked(study, metric, place) for place in range(len(study.arms)) if _has_mean(study, metric, place)]
    return sorted(rows, key=lambda row: metric.merit(row.mean.mean), reverse=True)


def _has_mean(study: LoadedStudy, metric: Metric, place: int) -> bool:
    mean = study.arm_means.get((study.arms[place].name, metric.name, MEAN))
    return mean is not None and mean.patients > 0


def _ranked(study: LoadedStudy, metric: Metric, place: int) -> Ranked:
    arm = study.arms[place]
    key = (arm.name, metric.name, MEAN)
    rows = (r for r in study.case_rows if (r.arm, r.metric, r.region) == key)
    environments = [run.environment for run in study.runs_of(arm.name)]
    return Ranked(
        arm=arm,
        mean=study.arm_means[key],
        difference=metric.difference(study.differences[key]) if key in study.differences else "",
        colour=colour(place),
        marker=_PATHS[(place + place // 8) % len(_PATHS)],
        patients=tuple(patient_means(rows).values()),
        seconds=sum(number(e.get("train_seconds")) for e in environments) / len(environments),
        parameters=number(environments[0].get("parameters")),
    )


def _ticks(line: Scale) -> list[float]:
    return [tick for tick in line.ticks if 2 <= line.place(tick) <= 98]


def _answer(study: LoadedStudy, metric: Metric, ranking: list[Ranked]) -> dict[str, str]:
    """The words of the sentence: who leads, by how much over the reference (or, leading itself, over the next)."""
    first = ranking[0]
    words = {"leader": first.arm.name, "mean": metric.text(first.mean.mean), "of": str(len(ranking))}
    words["range"] = metric.range(first.mean.low, first.mean.high)
    others = [row for row in ranking[1:] if row.arm.name == study.reference] or ranking[1:2]
    if not others:
        return words
    other = others[0]
    key = (first.arm.name if other.arm.name == study.reference else other.arm.name, metric.name, MEAN)
    gap = abs(study.differences[key]) if key in study.differences else abs(first.mean.mean - other.mean.mean)
    role = "the reference" if other.arm.name == study.reference else "the next"
    return words | {"other": other.arm.name, "role": role, "gap": metric.text(gap)}
