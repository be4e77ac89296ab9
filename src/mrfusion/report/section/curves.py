"""Learning curves: every recorded quantity over the epochs, one line per arm, the band from lowest to highest run."""

import math
from collections import defaultdict

from mrfusion.report.figure import Drawing, Figure, Switch, axis, band, layout, line
from mrfusion.report.part import Section, render
from mrfusion.run_folder.quantity import RATE, Quantity
from mrfusion.study.load import LoadedStudy

_NOT_DRAWN = ("seconds", "energy", "pi", "alignment", "term")  # kinds of quantities; sections of their own
Series = dict[int, list[float]]  # epoch to the values of the runs that reached it


def section(study: LoadedStudy) -> Section | None:
    """The figure; None where no run has a history."""
    quantities = dict.fromkeys(quantity for run in study.done for _, quantity, _ in run.history)
    shown = [q for q in quantities if q.kind not in _NOT_DRAWN]
    shown.sort(key=lambda q: (q.kind != "val", q == RATE))
    if not shown:
        return None
    figure = Figure(
        id="curves-figure",
        alt="Learning curves: one line per arm over the epochs, the mean of its runs, with a band from the lowest to "
        "the highest run.",
        height=380,
        switches=(Switch("Quantity", tuple((str(q), str(q)) for q in shown)),),
        drawings={str(quantity): _drawing(study, quantity) for quantity in shown},
    )
    return Section("curves", "Learning curves", render("section/curves.html", figure=figure), (figure,))


def _drawing(study: LoadedStudy, quantity: Quantity) -> Drawing:
    traces: list[Drawing] = []
    for place, arm in enumerate(study.arms):
        series = _series(study, arm.name, quantity)
        if series:
            traces += _drawn(series, arm.name, place)
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": "toggle"}
    return {
        "data": traces,
        "layout": layout(
            xaxis=axis("epoch", fixedrange=True, showgrid=False),
            yaxis=axis(str(quantity), fixedrange=True),
            hovermode="x unified",
            showlegend=True,
            legend=legend,
        ),
    }


def _series(study: LoadedStudy, arm: str, quantity: Quantity) -> Series:
    series: Series = defaultdict(list)
    for run in study.runs_of(arm):
        for epoch, name, value in run.history:
            if name == quantity and math.isfinite(value):
                series[epoch].append(value)
    return dict(sorted(series.items()))


def _drawn(series: Series, arm: str, place: int) -> list[Drawing]:
    """The band from the lowest to the highest run, and the mean of the runs as a line."""
    runs = list(series.values())
    said = {"customdata": [len(values) for values in runs], "hovertemplate": "%{y:.4~g} (%{customdata} runs)"}
    means = [sum(values) / len(values) for values in runs]
    return [band(list(series), map(min, runs), map(max, runs), place), line(series, means, arm, place, **said)]
