"""ROC curves of a classification: one class against the rest, all folds pooled, with a band over patients."""

from mrfusion.report.figure import Drawing, Figure, Switch, axis, band, layout, line, plain
from mrfusion.report.part import Section, render
from mrfusion.scoring.pooled import roc
from mrfusion.study.load import LoadedStudy


def section(study: LoadedStudy) -> Section | None:
    """The figure; None where no run answered with probabilities of classes."""
    if not study.answered:
        return None
    classes = study.answered[0].votes.classes
    shown = classes[:1] if len(classes) == 2 else classes
    drawings = {name: drawing for place, name in enumerate(shown) if (drawing := _drawing(study, place, name))["data"]}
    if not drawings:
        return None
    figure = Figure(
        id="roc-figure",
        alt="ROC curves: one line per arm, the true positive rate over the false positive rate, with a 95 % band.",
        height=420,
        switches=(Switch("Class", tuple((name, plain(name)) for name in drawings)),),
        drawings=drawings,
    )
    return Section("roc", "ROC curves", render("section/roc.html", figure=figure), (figure,))


def _drawing(study: LoadedStudy, place: int, name: str) -> Drawing:
    traces: list[Drawing] = []
    for number, arm in enumerate(study.arms):
        curve = roc(mine, place) if (mine := [run for run in study.answered if run.arm == arm.name]) else None
        if curve is not None:
            at, said = curve.at.tolist(), {"hovertemplate": "%{y:.2f} at %{x:.2f}"}
            traces.append(band(at, curve.low.tolist(), curve.high.tolist(), number))
            traces.append(line(at, curve.rate.tolist(), arm.name, number, **said))
    return {
        "data": [_chance(), *traces] if traces else [],
        "layout": layout(
            xaxis=axis("false positive rate", fixedrange=True, showgrid=False, range=[0, 1]),
            yaxis=axis(f"true positive rate of {name}", fixedrange=True, range=[0, 1.02]),
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": "toggle"},
        ),
    }


def _chance() -> Drawing:
    """The diagonal, where answers that know nothing lie."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"width": 1, "color": "var(--line-strong)", "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
