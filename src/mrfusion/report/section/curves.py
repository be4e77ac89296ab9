"""Learning curves: every recorded quantity over the epochs, one line per arm, the band from lowest to highest run."""

import math
from collections import defaultdict

from mrfusion.report.figure import Drawing, Figure, Switch, axis, colour, dash, layout, plain, rounded, soft
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
            traces += [_band(series, place), _line(series, place, arm.name)]
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


def _band(series: Series, place: int) -> Drawing:
    """Lowest to highest run, drawn as one closed shape."""
    epochs = list(series)
    edge = [max(series[e]) for e in epochs] + [min(series[e]) for e in reversed(epochs)]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": epochs + epochs[::-1],
        "y": rounded(edge),
        "fill": "toself",
        "fillcolor": soft(place),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": str(place),
    }


def _line(series: Series, place: int, arm: str) -> Drawing:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(arm),
        "x": list(series),
        "y": rounded(sum(values) / len(values) for values in series.values()),
        "customdata": [len(values) for values in series.values()],
        "line": {"width": 2.5, "color": colour(place), "dash": dash(place)},
        "hovertemplate": "%{y:.4~g} (%{customdata} runs)",
        "legendgroup": str(place),
    }
