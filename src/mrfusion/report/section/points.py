"""Every case as a point: what an arm gains or loses on it against the reference, and its score."""

import math
from collections.abc import Sequence

from mrfusion.comparison.aggregate import MEAN, CaseRow
from mrfusion.report.figure import Drawing, Figure, Switch, axis, colour, layout, plain, rounded, symbol
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import MOST_CASES, Section, render
from mrfusion.report.wording import region
from mrfusion.study.load import LoadedStudy

_VIEWS = (("difference", "Difference to the reference"), ("score", "Score"))
Point = tuple[CaseRow, float]  # a case under an arm, and where it stands on the axis


def section(study: LoadedStudy) -> Section | None:
    """The figure and, for whoever cannot see it, its numbers as a table; None without scores."""
    if not study.metrics:
        return None
    metric = metric_named(study.metrics[0])
    values = {(r.case, r.arm): r for r in study.case_rows if (r.metric, r.region) == (metric.name, MEAN)}
    anchors = {case.id: f"case-{n}" for n, case in enumerate(study.cases)}
    cases = [case for case in study.cases if any((case.id, arm.name) in values for arm in study.arms)]
    figure = _figure(study, study.metrics if len(cases) <= MOST_CASES else study.metrics[:1])
    shown = {"figure": figure, "metric": metric, "values": values, "cases": cases, "anchors": anchors}
    return Section("points", "Case by case", render("section/points.html", study=study, **shown), (figure,))


def _figure(study: LoadedStudy, offered: Sequence[str]) -> Figure:
    metrics = tuple((name, metric_named(name).title) for name in offered)
    names = [*([MEAN] if len(study.regions) > 1 else []), *study.regions]
    regions = tuple((name, region(name)) for name in names)
    views = _VIEWS if len(study.arms) > 1 else _VIEWS[1:]
    keys = [(view, metric, name) for view, _ in views for metric, _ in metrics for name in names]
    return Figure(
        id="points-figure",
        alt="One row per arm, one point per case: its score, or its difference to the reference arm. "
        "The table below holds the same numbers.",
        height=110 + 58 * len(study.arms),
        switches=(Switch("Show", views), Switch("Metric", metrics), Switch("Region", regions)),
        drawings={"|".join(key): _drawing(study, *key) for key in keys},
    )


def _drawing(study: LoadedStudy, view: str, metric_name: str, region: str) -> Drawing:
    metric = metric_named(metric_name)
    rows = [r for r in study.case_rows if (r.metric, r.region) == (metric_name, region) and not math.isnan(r.value)]
    reference = {r.case: r.value for r in rows if r.arm == study.reference}
    shown = [arm.name for arm in study.arms if view == "score" or arm.name != study.reference]
    traces: list[Drawing] = []
    for row, name in enumerate(shown):
        place = [arm.name for arm in study.arms].index(name)
        points = _points([r for r in rows if r.arm == name], reference, view)
        traces += [
            _cloud(study, points, reference, metric, (row, place)),
            _mean(study, metric, region, view, name, row),
        ]
    title = (
        f"{metric.title}, {metric.unit}"
        if view == "score"
        else f"{metric.title} minus {study.reference}'s, {metric.unit}"
    )
    return {"data": traces, "layout": _layout(title, shown, zero=view == "difference")}


def _points(rows: Sequence[CaseRow], reference: dict[str, float], view: str) -> list[Point]:
    if view == "score":
        return [(r, r.value) for r in rows]
    return [(r, r.value - reference[r.case]) for r in rows if r.case in reference]


def _cloud(
    study: LoadedStudy, points: Sequence[Point], reference: dict[str, float], metric: Metric, row_place: tuple[int, int]
) -> Drawing:
    """The cases of one arm; the small vertical steps only keep points apart."""
    row, place = row_place
    anchors = {case.id: f"case-{n}" for n, case in enumerate(study.cases)}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(x * metric.scale for _, x in points),
        "y": [round(row + 0.24 * _step(n), 3) for n in range(len(points))],
        "text": [_words(r, reference, metric, study.reference) for r, _ in points],
        "customdata": [anchors[r.case] for r, _ in points],
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
        "marker": {
            "size": 10,
            "symbol": symbol(place),
            "color": colour(place),
            "opacity": 0.75,
            "line": {"width": 1, "color": "var(--page)"},
        },
    }


def _step(number: int) -> float:
    """A place between -1 and 1 that spreads evenly however many there are (golden ratio), the same every time."""
    return 2 * ((number * 0.618034 + 0.5) % 1) - 1


def _words(row: CaseRow, reference: dict[str, float], metric: Metric, name: str) -> str:
    lines = [f"<b>{plain(row.case)}</b>", f"{plain(row.arm)}: {metric.text(row.value)} {metric.unit}"]
    if row.case in reference and row.arm != name:
        difference = metric.difference(row.value - reference[row.case])
        lines += [f"{plain(name)}: {metric.text(reference[row.case])}", f"difference {difference}"]
    if row.status != "scored":
        lines.append(f"({row.status})")
    return "<br>".join(lines)


def _mean(study: LoadedStudy, metric: Metric, region: str, view: str, arm: str, row: int) -> Drawing:
    """The mean over patients as a tall line across the row."""
    key = (arm, metric.name, region)
    found = study.arm_means.get(key)
    value = study.differences.get(key, math.nan) if view == "difference" else (found.mean if found else math.nan)
    x = rounded([value * metric.scale])
    says = metric.difference(value) if view == "difference" else metric.text(value)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x * 2,
        "y": [row - 0.34, row + 0.34],
        "line": {"width": 3, "color": "var(--ink)"},
        "hovertemplate": f"mean over patients {says}<extra>{plain(arm)}</extra>",
    }


def _layout(title: str, arms: Sequence[str], *, zero: bool) -> Drawing:
    line = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    shapes = [{**line, "line": {"color": "var(--line-strong)", "width": 1.5, "dash": "dash"}}] if zero else []
    rows = axis(
        "",
        tickvals=list(range(len(arms))),
        ticktext=[plain(name) + "  " for name in arms],
        range=[len(arms) - 0.45, -0.55],
        showgrid=False,
        tickfont={"size": 13, "color": "var(--ink)"},
        fixedrange=True,
    )
    return layout(xaxis=axis(title, fixedrange=True), yaxis=rows, shapes=shapes, hovermode="closest")
