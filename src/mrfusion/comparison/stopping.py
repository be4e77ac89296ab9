"""When a study may stop: which arms are decided, which no further seed is likely to decide, and where to go on.

A study that stops when it is decided looks after every complete seed, every time at the same stricter level (see
:class:`mrfusion.comparison.spending.Spending`), and a word once said stands. An arm also stops where the remaining
seeds would decide it with a chance below :data:`HOPE`, given the effect that was seen and the variances of its
interval: seeds take away what runs add to the error, never what patients and training sets add. Stopping without a word
cannot make a false one.

How a study uses it, after every finished seed::

    rule = Spending(most_seeds=5)
    for arm in standing(rows, reference, hypotheses, rule):
        if arm.state == "go on":
            ...  # train arm.arm (and the reference) with one more seed in every fold

and in the end ``compare(rows, reference, hypotheses, spending=rule)`` gives the verdicts that the looks reached.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from mrfusion.comparison.advice import Design, Numbers, chance, design_of, half_width, seen
from mrfusion.comparison.compare import Comparison, compare
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.interval import Differences, Moments, moments
from mrfusion.comparison.pairs import Key, paired_differences
from mrfusion.comparison.spending import Spending
from mrfusion.comparison.verdict import ALPHA
from mrfusion.result import ScoreRow

HOPE = 0.1
_SHARES = np.arange(0.05, 1.0, 0.1)
State = Literal["go on", "decided", "hopeless", "finished"]


@dataclass(frozen=True)
class Standing:
    """Where one arm stands.

    ``go on`` with another seed, all its declared comparisons ``decided``, ``hopeless`` (each is decided, or no further
    seed is likely to decide it), or ``finished`` with the last seed of the rule.

    ``seeds`` are its complete seeds; ``hope`` is the largest chance that another seed decides one of its comparisons,
    so that runs can go first where they decide most; ``reason`` is a sentence.
    """

    arm: str
    state: State
    seeds: int
    hope: float
    reason: str


def standing(
    rows: Iterable[ScoreRow], reference: str, hypotheses: Hypotheses | None = None, rule: Spending | None = None
) -> list[Standing]:
    """Every arm that has a comparison, those that deserve the next runs first."""
    given, rule, declared = list(rows), rule or Spending(), hypotheses or Hypotheses()
    pairs = paired_differences(given, reference)
    found = compare(given, reference, declared, spending=rule)
    asked = [row for row in found if not row.family.startswith("other ")]
    arms = []
    for arm in dict.fromkeys(row.arm for row in asked):
        mine = [row for row in asked if row.arm == arm]
        seeds = max(pairs[_key(row)].complete_seeds for row in mine)
        hopes = [_hope(row, pairs[_key(row)].data, rule, len(asked)) for row in mine if row.verdict == "undecided"]
        why = next((row.reasons[0] for row in mine if row.reasons and not row.advice), "")
        arms.append(_standing(arm, seeds, hopes, rule, why=why))
    return sorted(arms, key=lambda one: (one.state != "go on", -one.hope))


def _standing(arm: str, seeds: int, hopes: Sequence[float], rule: Spending, *, why: str) -> Standing:
    if not hopes:
        return Standing(arm, "decided", seeds, 0.0, f"decided with {seeds} seeds")
    if seeds < rule.fewest_seeds:
        return Standing(arm, "go on", seeds, 1.0, f"the first look comes with {rule.fewest_seeds} complete seeds")
    if seeds >= rule.most_seeds:
        return Standing(arm, "finished", seeds, 0.0, f"undecided with all {rule.most_seeds} seeds")
    hope = max(hopes)
    text = f"another seed decides with a chance of about {hope:.0%}"
    if hope >= HOPE:
        return Standing(arm, "go on", seeds, hope, text)
    return Standing(arm, "hopeless", seeds, hope, why or text)


def hope(found: Moments, now: Design, margin: float, rule: Spending) -> Numbers:
    """The largest chance, over the looks to come, that an effect is then decided: only the runs are drawn anew.

    The variances stay as they were seen, but for the one between folds, which every look estimates anew. ``now.times``
    is how many looks and comparisons share the 5 %. 0 with a single fold, where no word about the method comes.
    """
    later = [replace(now, seeds=seeds) for seeds in rule.looks if seeds > now.seeds]
    if now.folds < 2 or not later:
        return np.zeros_like(found.effect)
    variances = seen(now, found)
    shrunk = np.sqrt(special.chdtri(now.folds - 1, _SHARES) / (now.folds - 1))
    chances = []
    for then in later:
        error = np.sqrt(variances.run / now.folds * (1 / now.seeds - 1 / then.seeds))
        different, equal = (half_width(variances, then, level) for level in (ALPHA, 2 * ALPHA))
        each = [chance(found.effect, error, different * k, margin - equal * k) for k in shrunk]
        chances.append(np.mean(each, axis=0))
    return np.max(chances, axis=0)


def _hope(row: Comparison, data: Differences, rule: Spending, family: int) -> float:
    if not row.advice or np.isnan(row.margin):  # what leaves a row without advice, no seed mends
        return 0.0
    return float(hope(moments(data), design_of(data, rule.times * family), row.margin, rule))


def _key(row: Comparison) -> Key:
    return row.arm, row.region, row.metric
