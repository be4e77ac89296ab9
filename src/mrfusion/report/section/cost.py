"""What each arm cost and whether it met the reference on equal terms, so that an unequal budget is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mrfusion.comparison.fairness import ArmFacts
from mrfusion.comparison.health import ArmHealth
from mrfusion.report.part import Section, render
from mrfusion.report.wording import count, duration, ratio
from mrfusion.study.load import Arm, LoadedStudy
from mrfusion.study.load_run import LoadedRun

_ROWS: tuple[tuple[str, str, Callable[[float], str]], ...] = (  # environment's key, heading, how it is written
    ("parameters", "Parameters", count),
    ("flops", "FLOPs of a sample", count),
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
    terms: str
    violations: tuple[str, ...]
    controls: tuple[str, ...]
    health: ArmHealth


def section(study: LoadedStudy) -> Section | None:
    """The table; None where no run has finished."""
    if not study.done:
        return None
    costs = [_cost(study, arm, study.runs_of(arm.name)) for arm in study.arms if arm.name in study.fairness.arms]
    known = [facts.costs for facts in study.fairness.arms.values()]
    recorded = [place for place, (key, _, _) in enumerate(_ROWS) if any(cost[key] == cost[key] for cost in known)]
    heads = [_ROWS[place][1] for place in recorded]
    values = {"study": study, "costs": costs, "recorded": recorded, "heads": heads}
    return Section("cost", "Cost and fairness", render("section/cost.html", **values))


def _cost(study: LoadedStudy, arm: Arm, runs: Sequence[LoadedRun]) -> Cost:
    mine = study.fairness.arms[arm.name]
    theirs = study.fairness.arms.get(study.reference, mine)
    cells = tuple(
        (write(a := mine.costs[key]), ratio(a, b := theirs.costs[key]), abs(a - b) > 0.1 * b) for key, _, write in _ROWS
    )
    places = sorted({_machine(run.environment.get("machine")) for run in runs})
    return Cost(
        arm=arm,
        runs=len(runs),
        cells=cells,
        places=", ".join(places),
        terms=str(study.fairness.terms.get(arm.name, "")),
        violations=study.fairness.violations.get(arm.name, ()),
        controls=_controls(mine),
        health=study.health[arm.name],
    )


def _controls(facts: ArmFacts) -> tuple[str, ...]:
    size = (f"{name} has the reference's plan and as many parameters" for name in facts.parameter_matched)
    return (*size, *(f"{name} has the reference's plan and as many steps" for name in facts.step_matched))


def _machine(machine: object) -> str:
    if not isinstance(machine, dict):
        return "not recorded"
    driven = f", {machine['gpu']}, driver {machine.get('driver', 'not known')}" if "gpu" in machine else ""
    return f"{machine.get('host', '?')} ({machine.get('device', '?')}{driven})"
