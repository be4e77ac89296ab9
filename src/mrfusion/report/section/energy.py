"""What energies say: trajectories, classes before and after training, parts, weights, alignment, maps, correlations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from mrfusion import families
from mrfusion.report.energy.load import PARTS, ArmEnergies, Change, load_energies
from mrfusion.report.energy.tiles import CaseTiles, tiles_of
from mrfusion.report.energy.words import Account, account_of, signed
from mrfusion.report.figure import Drawing, Figure, Switch, axis, colour, dash, layout, plain, rounded
from mrfusion.report.heat import gradient
from mrfusion.report.metric import metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.scale import Scale, scale_of
from mrfusion.report.sentence import p_value
from mrfusion.run_folder.quantity import Quantity
from mrfusion.study.load import LoadedStudy

PALEST, DARKEST = 4, 46  # percent of the accent colour
TOGETHER = {"independence": "Correlation between the factors", "floor": "spread that vectors lack"}
_STEPS, _EPOCHS = "steps", "epochs"


@dataclass(frozen=True)
class Parts:
    """One level: E at the first state and at the last before and after training, and the last one's parts."""

    number: int
    first: Change
    last: Change
    parts: tuple[tuple[str, Change, float], ...]  # name, energy, share of the whole after training in percent


@dataclass(frozen=True)
class Classes:
    """One level: the energy of each class, on a line of numbers, and how far classes explain that of test cases."""

    number: int
    between: float
    rows: tuple[tuple[str, Change], ...]
    scale: Scale


@dataclass(frozen=True)
class Weights:
    """One modality: its weight at each level, with a shade, and by how much E changes where it is absent."""

    modality: str
    cells: tuple[tuple[float, int], ...]
    absent: tuple[float, ...]


@dataclass(frozen=True)
class Shown:
    """All that is shown of one arm."""

    arm: ArmEnergies
    account: Account
    parts: tuple[Parts, ...]
    classes: tuple[Classes, ...]
    weights: tuple[Weights, ...]
    factors: tuple[tuple[int, bool, Change, Change], ...]
    together: tuple[tuple[str, Change], ...]
    tiles: tuple[CaseTiles, ...]


def section(study: LoadedStudy) -> Section | None:
    """The section; None where no run has an energy."""
    arms = load_energies(study)
    if not arms:
        return None
    figure = _figure(arms)
    shown = [_shown(study, arm) for arm in arms]
    html = render(
        "section/energy.html", arms=shown, figure=figure, number=number, signed=signed, percent=percent, p=p_value,
        gradient=gradient(), title=metric_named(study.metrics[0]).title if study.metrics else "score",
    )  # fmt: skip
    return Section("energy", "Energies", html, (figure,))


def number(value: float) -> str:
    """Three decimals, of tiny ones two digits; a dash where it is not known."""
    return "–" if math.isnan(value) else f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def percent(value: float) -> str:
    """``+12 %``; a dash where it is not known."""
    return "–" if math.isnan(value) else f"{100 * value:+.0f} %".replace("-", "−")


def _shown(study: LoadedStudy, arm: ArmEnergies) -> Shown:
    return Shown(
        arm,
        account_of(study, arm),
        tuple(_parts(arm, level) for level in _recorded(arm)),
        tuple(one for level in arm.levels if (one := _classes(arm, level)).rows),
        _weights(arm),
        _factors(arm),
        tuple((says, _over_levels(arm, name)) for name, says in TOGETHER.items()),
        tuple(tiles_of(arm)),
    )


def _recorded(arm: ArmEnergies) -> list[int]:
    """The levels whose steps the history holds."""
    return [level for level in arm.levels if _steps(arm.named("energy", level))]


def _parts(arm: ArmEnergies, level: int) -> Parts:
    rows = arm.named("energy", level)
    steps = [rows[name] for name in _steps(rows)]
    each = [(name, rows.get(name, Change(math.nan, math.nan))) for name in PARTS]
    whole = math.fsum(change.after for _, change in each) or 1.0
    return Parts(level + 1, steps[0], steps[-1], tuple((n, c, 100 * c.after / whole) for n, c in each))


def _steps(rows: dict[str, Change]) -> list[str]:
    numbers = {name: Quantity("energy", name).numbered("step") for name in rows}
    return sorted((name for name, number in numbers.items() if number is not None), key=lambda name: numbers[name] or 0)


def _classes(arm: ArmEnergies, level: int) -> Classes:
    found = {q.within("class"): change for q, change in arm.history.items() if (q.kind, q.level) == ("energy", level)}
    rows = tuple((name, change) for name, change in found.items() if name is not None)
    return Classes(
        level + 1, arm.between_classes(level), rows, scale_of([v for _, c in rows for v in (c.before, c.after)])
    )


def _weights(arm: ArmEnergies) -> tuple[Weights, ...]:
    table = {m: [arm.of_cases(Quantity("pi", m, level)) for level in arm.levels] for m in arm.modalities}
    known = [value for values in table.values() for value in values if not math.isnan(value)]
    low, high = min(known), max(known)
    return tuple(
        Weights(m, tuple((v, _shade(v, low, high)) for v in values), tuple(_absent(arm, m)))
        for m, values in table.items()
    )


def _absent(arm: ArmEnergies, modality: str) -> list[float]:
    """Of each level: the change of E, as a share of it, where the modality is absent."""
    whole = [arm.of_cases(Quantity("energy", level=level)) for level in arm.levels]
    rest = [arm.of_cases(Quantity("without", modality, level)) for level in arm.levels]
    return [less / all_of_them - 1 if all_of_them else math.nan for all_of_them, less in zip(whole, rest, strict=True)]


def _shade(value: float, low: float, high: float) -> int:
    share = (value - low) / (high - low) if high > low and not math.isnan(value) else 0.0
    return round(PALEST + (DARKEST - PALEST) * share)


def _factors(arm: ArmEnergies) -> tuple[tuple[int, bool, Change, Change], ...]:
    """(factor, whether the loss aligns it, direction, distribution), means over levels."""
    found = {quantity.numbered("factor") for quantity in arm.history if quantity.kind == "alignment"}
    ordered = sorted(factor for factor in found if factor is not None)
    aligned = _aligned(arm, len(ordered))
    return tuple(
        (n, place < aligned, _over_levels(arm, f"factor{n}/direction"), _over_levels(arm, f"factor{n}/distribution"))
        for place, n in enumerate(ordered)
    )


def _aligned(arm: ArmEnergies, factors: int) -> int:
    """How many factors the runs' alignment loss aligns; 0 without one."""
    calls = [families.parse(str(text)) for text in arm.runs[0].spec.get("losses") or ()]
    found = [call for call in calls if call.name == "alignment"]
    return int(dict(found[0].kwargs).get("aligned", factors // 2)) if found else 0


def _over_levels(arm: ArmEnergies, name: str) -> Change:
    found = [change for q, change in arm.history.items() if (q.kind, q.name) == ("alignment", name)]
    if not found:
        return Change(math.nan, math.nan)
    return Change(fmean(change.before for change in found), fmean(change.after for change in found))


def _figure(arms: Sequence[ArmEnergies]) -> Figure:
    kinds = ((_STEPS, "Over the steps"), (_EPOCHS, "Over the epochs"))
    return Figure(
        id="energy-figure",
        alt="The mean energy E of each level of the network: over the steps of the propagation, before training and "
        "with the weights that were kept; and over the epochs.",
        height=360,
        switches=(Switch("Arm", tuple((a.arm, a.arm) for a in arms)), Switch("Energy", kinds)),
        drawings={f"{arm.arm}|{kind}": _drawing(arm, kind) for arm in arms for kind, _ in kinds},
    )


def _drawing(arm: ArmEnergies, kind: str) -> Drawing:
    make = {_STEPS: _step_lines, _EPOCHS: _epoch_lines}[kind]
    whole = {"dtick": 1} if kind == _STEPS else {}
    return {
        "data": [line for level in _recorded(arm) for line in make(arm, level)],
        "layout": layout(
            xaxis=axis({_STEPS: "step of the propagation", _EPOCHS: "epoch"}[kind], fixedrange=True, showgrid=False,
                       **whole),
            yaxis=axis("E, mean over validation cases", fixedrange=True, rangemode="tozero"),
            hovermode="x unified",
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "itemclick": "toggle"},
        ),
    }  # fmt: skip


def _step_lines(arm: ArmEnergies, level: int) -> list[Drawing]:
    rows = arm.named("energy", level)
    names = _steps(rows)
    before, after = [rows[name].before for name in names], [rows[name].after for name in names]
    return [
        _line(level, f"level {level + 1}, {says}", range(len(names)), values, style)
        for says, style, values in (("before training", "dot", before), ("after", "solid", after))
        if not all(map(math.isnan, values))
    ]


def _epoch_lines(arm: ArmEnergies, level: int) -> list[Drawing]:
    rows = arm.named("energy", level)
    last = Quantity("energy", _steps(rows)[-1], level)
    found: dict[int, list[float]] = {}
    for run in arm.runs:
        for epoch, quantity, value in run.history:
            if quantity == last:
                found.setdefault(epoch, []).append(value)
    series = dict(sorted(found.items()))
    return [_line(level, f"level {level + 1}", list(series), [fmean(v) for v in series.values()], dash(level))]


def _line(level: int, name: str, x: Sequence[int], y: Sequence[float], style: str) -> Drawing:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(name),
        "x": list(x),
        "y": rounded(y),
        "line": {"width": 2, "color": colour(level), "dash": style},
        "hovertemplate": "%{y:.4~g}",
    }
