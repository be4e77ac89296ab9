"""Do the losses pull against each other: raw losses, weights, gradients, conflict, and how the fused image drifts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrfusion.errors import InputError
from mrfusion.report.figure import Drawing, Figure, Switch, axis, colour, dash, layout, plain, rounded
from mrfusion.report.overlay import data_uri
from mrfusion.report.part import Section, render
from mrfusion.run_folder.fused import FusedSlice, read_fused
from mrfusion.run_folder.quantity import Quantity
from mrfusion.study.load import Arm, LoadedStudy
from mrfusion.study.load_run import LoadedRun

_KINDS = (  # the kind of quantity, the button, the axis, whether it spans orders of magnitude
    ("cosine", "Conflict", "cosine of the losses' gradients", False),
    ("gradient", "Gradient norms", "norm on shared parameters", True),
    ("weight", "Weights", "weight of the loss", True),
    ("train", "Losses", "mean over the epoch, unweighted", True),
    ("term", "Terms", "mean over the epoch, unweighted", True),
)
_SHOWN_EPOCHS = 5
Series = dict[int, list[float]]


@dataclass(frozen=True)
class Row:
    """One arm's balance, means over its runs; ``losses`` are (name, first and last value, weight, gradient norm)."""

    arm: Arm
    losses: tuple[tuple[str, str, str, str], ...]
    conflict: str
    against: str


@dataclass(frozen=True)
class Drift:
    """The sources and the fused image of one slice over the epochs, as (caption, data URI)."""

    arm: Arm
    images: tuple[tuple[str, str], ...]


def section(study: LoadedStudy) -> Section | None:
    """The section; None where no arm trains several losses at once and none learns a fused image."""
    rows = [row for row in (_row(arm, study.runs_of(arm.name)) for arm in study.arms) if row]
    drifts = [drift for drift in (_drift(arm, study.runs_of(arm.name)) for arm in study.arms) if drift]
    if not rows and not drifts:
        return None
    figures = (_figure(study),) if rows else ()
    html = render("section/balance.html", rows=rows, drifts=drifts, figure=figures[0] if figures else None, study=study)
    return Section("balance", "Balance of the losses", html, figures)


def _row(arm: Arm, runs: Sequence[LoadedRun]) -> Row | None:
    cosines = [v for q in _quantities(runs, "cosine") for values in _series(runs, q).values() for v in values]
    if not cosines:
        return None
    names = [quantity.name for quantity in _quantities(runs, "gradient")]
    kinds = ("train", "weight", "gradient")
    ends = {(name, kind): _ends(_series(runs, Quantity(kind, name))) for name in names for kind in kinds}
    losses = tuple((name, ends[name, "train"], ends[name, "weight"], ends[name, "gradient"]) for name in names)
    opposed = sum(value < 0 for value in cosines) / len(cosines)
    return Row(arm, losses, f"{sum(cosines) / len(cosines):+.2f}".replace("-", "−"), f"{100 * opposed:.0f} %")


def _ends(series: Series) -> str:
    """The mean of the first epoch and of the last."""
    values = [sum(each) / len(each) for each in series.values()]
    return f"{values[0]:.3g} → {values[-1]:.3g}" if values else "–"


def _quantities(runs: Sequence[LoadedRun], kind: str) -> list[Quantity]:
    found = dict.fromkeys(quantity for run in runs for _, quantity, _ in run.history)
    # terms of a level are of energies, which have a section of their own
    return [quantity for quantity in found if quantity.kind == kind and "/level" not in quantity.name]


def _series(runs: Iterable[LoadedRun], quantity: Quantity) -> Series:
    series: Series = {}
    for run in runs:
        for epoch, name, value in run.history:
            if name == quantity and math.isfinite(value):
                series.setdefault(epoch, []).append(value)
    return dict(sorted(series.items()))


def _figure(study: LoadedStudy) -> Figure:
    return Figure(
        id="balance-figure",
        alt="Over the epochs, for each arm with several losses: the cosine of their gradients, gradient norms, weights "
        "and losses.",
        height=380,
        switches=(Switch("Quantity", tuple((kind, says) for kind, says, _, _ in _KINDS)),),
        drawings={kind: _drawing(study, kind, title, logarithmic) for kind, _, title, logarithmic in _KINDS},
    )


def _drawing(study: LoadedStudy, kind: str, title: str, logarithmic: bool) -> Drawing:
    traces = [
        _line(_series(runs, quantity), place, number, f"{arm.name}: {quantity.name}")
        for place, arm in enumerate(study.arms)
        if _quantities(runs := study.runs_of(arm.name), "cosine")
        for number, quantity in enumerate(_quantities(runs, kind))
    ]
    legend = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "itemclick": "toggle"}
    scale = {"type": "log"} if logarithmic else {"range": [-1.05, 1.05]}
    return {
        "data": traces,
        "layout": layout(
            xaxis=axis("epoch", fixedrange=True, showgrid=False),
            yaxis=axis(title, fixedrange=True, **scale),
            hovermode="x unified",
            showlegend=True,
            legend=legend,
        ),
    }


def _line(series: Series, place: int, number: int, name: str) -> Drawing:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "x": list(series),
        "y": rounded(sum(values) / len(values) for values in series.values()),
        "line": {"width": 2, "color": colour(place), "dash": dash(number)},
        "hovertemplate": "%{y:.4~g}",
    }


def _drift(arm: Arm, runs: Sequence[LoadedRun]) -> Drift | None:
    """Of the arm's first run: the sources, then the fused image at up to five epochs from the first to the last."""
    kept = [run.folder.fused_slices for run in sorted(runs, key=lambda run: (run.seed, run.fold))]
    files = next((found for found in kept if found), {})
    if not files:
        return None
    epochs, last = list(files), len(files) - 1
    chosen = dict.fromkeys(epochs[round(last * i / (_SHOWN_EPOCHS - 1))] for i in range(_SHOWN_EPOCHS))
    images = [image for epoch in chosen for image in _images(files[epoch], epoch)]
    return Drift(arm, (*_sources(files[epochs[0]]), *images))


def _sources(path: Path) -> list[tuple[str, str]]:
    """The sources by name."""
    kept = _read(path)
    return (
        [(name, data_uri(image)) for name, image in zip(kept.sources, kept.source_images, strict=True)] if kept else []
    )


def _images(path: Path, epoch: int) -> list[tuple[str, str]]:
    """The fused images of one epoch."""
    kept = _read(path)
    return [(f"epoch {epoch}", data_uri(image)) for image in kept.images] if kept else []


def _read(path: Path) -> FusedSlice | None:
    """None where the file cannot be read, as the scores do not rest on it."""
    try:
        return read_fused(path)
    except InputError:
        return None
