"""What each arm cost, side by side with the reference, so that an unequal budget is seen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mrfusion.report.load import Arm, LoadedRun, LoadedStudy
from mrfusion.report.part import Section, render
from mrfusion.report.wording import count, duration, number, ratio

_ROWS: tuple[tuple[str, str, Callable[[float], str]], ...] = (  # environment's key, heading, how it is written
    ("parameters", "Parameters", count),
    ("epochs", "Epochs", count),
    ("steps", "Optimiser steps", count),
    ("train_seconds", "Training time a run", duration),
    ("peak_mib", "Peak memory, MiB", count),
)


@dataclass(frozen=True)
class Cost:
    """One arm: for every kind of cost the mean over runs, its ratio to the reference, and whether it is far off."""

    arm: Arm
    runs: int
    cells: tuple[tuple[str, str, bool], ...]
    places: str


def section(study: LoadedStudy) -> Section | None:
    """The table; None where no run has finished."""
    if not study.done:
        return None
    reference = study.runs_of(study.reference)
    costs = [_cost(arm, study.runs_of(arm.name), reference) for arm in study.arms]
    recorded = [place for place, (key, _, _) in enumerate(_ROWS) if not math.isnan(_mean(study.done, key))]
    heads = [_ROWS[place][1] for place in recorded]
    values = {"study": study, "costs": costs, "recorded": recorded, "heads": heads}
    return Section("cost", "Cost and fairness", render("section/cost.html", **values))


def _cost(arm: Arm, runs: Sequence[LoadedRun], reference: Sequence[LoadedRun]) -> Cost:
    means = [(_mean(runs, key), _mean(reference, key), write) for key, _, write in _ROWS]
    places = sorted({_machine(run.environment.get("machine")) for run in runs})
    cells = tuple(
        (write(mine), ratio(mine, theirs), abs(mine - theirs) > 0.1 * theirs) for mine, theirs, write in means
    )
    return Cost(arm, len(runs), cells, ", ".join(places))


def _machine(machine: object) -> str:
    return f"{machine.get('host', '?')} ({machine.get('device', '?')})" if isinstance(machine, dict) else "not recorded"


def _mean(runs: Sequence[LoadedRun], key: str) -> float:
    """The mean over the runs that recorded it."""
    values = [v for v in (number(run.environment.get(key)) for run in runs) if not math.isnan(v)]
    return sum(values) / len(values) if values else math.nan
