"""Whether the arms were compared on equal terms: same cases, same budget, and whose advantage is its size."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COSTS = ("parameters", "flops", "epochs", "steps", "train_seconds", "peak_mib")
SIZE_SLACK, TIME_SLACK, BUDGET_SLACK = 0.10, 0.25, 0.02
_AMOUNTS = (("parameters", "parameters", SIZE_SLACK), ("train_seconds", "training time", TIME_SLACK))
_BUDGETS = (("epochs", "epochs", BUDGET_SLACK), ("steps", "optimiser steps", BUDGET_SLACK))


FOREIGN = "predictions"  # stands in the environment of a run whose predictions another program made


@dataclass(frozen=True)
class RunFacts:
    """What one finished run was: the cases it tested, the plan it followed, and what it cost (environment.json)."""

    arm: str
    fold: int
    cases: frozenset[str]
    plan: str
    fingerprint: str
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class ArmFacts:
    """One arm: mean costs over its runs (NaN where not recorded) and the arms that control for its size or steps.

    A control follows the reference's plan and has this arm's parameters (within 10 %) or, where these are not the
    reference's, its steps (within 2 %).
    """

    arm: str
    plan: str
    costs: Mapping[str, float]
    parameter_matched: tuple[str, ...] = ()
    step_matched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """In what an arm and the reference are equal, as names of costs, and in what they are not, as amounts.

    What is not known of either is in neither; seconds depend on the machine, so they are never called equal.
    """

    equal: tuple[str, ...]
    unequal: tuple[str, ...]

    def __str__(self) -> str:
        equal = f"equal {' and '.join(self.equal)}" if self.equal else ""
        return "; ".join(part for part in (equal, ", ".join(self.unequal)) if part)


@dataclass(frozen=True)
class Fairness:
    """The arms side by side; ``violations`` maps an arm to sentences, empty where it met the reference on equal terms.

    ``terms`` says of every arm but the reference in what the two are equal and in what they are not; ``unknown`` names
    the arms that were not trained here, whose terms nobody recorded.
    """

    arms: Mapping[str, ArmFacts]
    violations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    terms: Mapping[str, Terms] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


def terms_between(mine: Mapping[str, float], theirs: Mapping[str, float]) -> Terms:
    """The terms of an arm with these costs (keys of :data:`COSTS`) against a reference with those."""
    equal, unequal = [], []
    for cost, words, slack in (*_BUDGETS, *_AMOUNTS):
        times = ratio(mine.get(cost, math.nan), theirs.get(cost, math.nan))
        if math.isnan(times):
            continue
        if abs(times - 1) > slack:
            unequal.append(f"{times:.2g} times the {words}")
        elif cost != "train_seconds":
            equal.append(words)
    return Terms(tuple(equal), tuple(unequal))


def differing(mine: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    """The keys, as ``budget.epochs``, in which two specifications as nested mappings differ."""
    found: list[str] = []
    for key in dict.fromkeys((*mine, *theirs)):
        one, other = mine.get(key), theirs.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differing(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}")
    return tuple(found)


def several_changes(keys: Sequence[str]) -> str:
    """A warning where an arm differs from the reference in several keys at once; empty where it does in one or none."""
    if len(keys) < 2:
        return ""
    return f"changes {len(keys)} things at once ({', '.join(keys)}), so a difference cannot be put down to one of them"


def examine(runs: Sequence[RunFacts], reference: str, changed: Mapping[str, Sequence[str]] | None = None) -> Fairness:
    """Compare every arm's runs with the reference's; an arm without a finished run does not appear.

    ``changed`` has the keys that each arm differs from the reference in. Of an arm that was trained elsewhere neither
    the plan nor anything else is known: it has no controls, is none, and says nothing of what another arm changes.
    """
    names = list(dict.fromkeys(run.arm for run in runs))
    of = {name: [run for run in runs if run.arm == name] for name in names}
    bare = {name: ArmFacts(name, of[name][0].plan, _costs(of[name])) for name in names}
    unknown = frozenset(run.arm for run in runs if not run.environment or FOREIGN in run.environment)
    if reference not in of:
        return Fairness(bare, unknown=unknown)
    foreign = {run.arm for run in runs if FOREIGN in run.environment}
    own = {name: facts for name, facts in bare.items() if name not in foreign}
    arms = (
        bare
        if reference in foreign
        else bare | {name: _with_controls(facts, own, bare[reference]) for name, facts in own.items()}
    )
    others, mine = [name for name in names if name != reference], arms[reference]
    keys = {} if reference in foreign else {name: found for name, found in (changed or {}).items() if name in own}
    found = {
        name: (
            *_cases(of[name], of[reference]),
            *_budget(arms[name], mine),
            *_size(arms[name], mine),
            *filter(None, [several_changes(keys.get(name, ()))]),
        )
        for name in others
    }
    terms = {name: terms_between(arms[name].costs, mine.costs) for name in others}
    return Fairness(arms, {name: sentences for name, sentences in found.items() if sentences}, terms, unknown)


def ratio(mine: float, theirs: float) -> float:
    """mine / theirs; NaN where either is not known."""
    return mine / theirs if theirs else math.nan


def _with_controls(facts: ArmFacts, arms: Mapping[str, ArmFacts], reference: ArmFacts) -> ArmFacts:
    if facts.plan == reference.plan:
        return facts
    alike = [a for a in arms.values() if a.plan == reference.plan and a.arm not in (facts.arm, reference.arm)]
    size = tuple(a.arm for a in alike if _near(a, facts, "parameters", SIZE_SLACK))
    longer = not _near(facts, reference, "steps", BUDGET_SLACK)
    steps = tuple(a.arm for a in alike if longer and _near(a, facts, "steps", BUDGET_SLACK))
    return ArmFacts(facts.arm, facts.plan, facts.costs, size, steps)


def _near(one: ArmFacts, other: ArmFacts, cost: str, slack: float) -> bool:
    return abs(ratio(one.costs[cost], other.costs[cost]) - 1) <= slack


def _cases(mine: Iterable[RunFacts], theirs: Iterable[RunFacts]) -> Iterable[str]:
    """Sentences on splits and data that differ."""
    known = {run.fold: run for run in theirs}
    for run in {run.fold: run for run in mine}.values():
        other = known.get(run.fold)
        if other is None:
            yield f"fold {run.fold} was not run with {next(iter(known.values())).arm}"
        elif run.cases != other.cases:
            yield f"fold {run.fold} tests other cases than {other.arm}'s"
        elif run.fingerprint != other.fingerprint:
            yield f"fold {run.fold} was run on other data than {other.arm}'s"


def _budget(mine: ArmFacts, theirs: ArmFacts) -> Iterable[str]:
    for cost, words, slack in _BUDGETS:
        a, b = mine.costs[cost], theirs.costs[cost]
        if abs(ratio(a, b) - 1) > slack:
            control = f"; {', '.join(mine.step_matched)} trains as long" if mine.step_matched else ""
            yield f"{a:g} {words} against {b:g}{control}"


def _size(mine: ArmFacts, theirs: ArmFacts) -> Iterable[str]:
    size = ratio(mine.costs["parameters"], theirs.costs["parameters"])
    if size > 1 + SIZE_SLACK:
        yield f"{size:.2g} times the parameters; {_size_control(mine, theirs)}"
    seconds = ratio(mine.costs["train_seconds"], theirs.costs["train_seconds"])
    if seconds > 1 + TIME_SLACK:
        yield f"{seconds:.2g} times the training time"


def _size_control(mine: ArmFacts, theirs: ArmFacts) -> str:
    if mine.plan == theirs.plan:
        return "the reference's own plan, a control of size"
    matched = ", ".join(mine.parameter_matched)
    return f"{matched} has as many" if matched else "no arm with the reference's plan has as many"


def _costs(runs: Sequence[RunFacts]) -> dict[str, float]:
    return {cost: _mean([run.environment.get(cost) for run in runs]) for cost in COSTS}


def _mean(values: Iterable[Any]) -> float:
    known = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    return math.fsum(known) / len(known) if known else math.nan
