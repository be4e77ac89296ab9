"""Stopping when decided: what a look may spend, where arms stand, and that a word once said stands."""

import numpy as np
import pytest
from scipy import stats

from mrfusion.comparison.compare import compare
from mrfusion.comparison.spending import Spending
from mrfusion.comparison.stopping import standing
from planted import planted


@pytest.mark.parametrize(("most", "level"), [(1, 0.05), (2, 0.0294), (3, 0.0221), (4, 0.0182), (5, 0.0158)])
def test_levels_are_those_of_pocock(most, level):
    rule = Spending(most_seeds=most, fewest_seeds=1)
    assert list(rule.looks) == list(range(1, most + 1))
    assert rule.level == pytest.approx(level, abs=1e-4)  # Pocock 1977, table 1; equally spaced looks
    assert rule.times * rule.level == pytest.approx(0.05)


def test_the_looks_from_the_second_seed_on_reject_a_true_null_in_five_percent():
    rule = Spending(most_seeds=5)
    seeds = np.random.default_rng(0).normal(size=(200_000, 5)).cumsum(axis=1) / np.sqrt(np.arange(1, 6))
    bound = stats.norm.isf(rule.level / 2)
    assert (np.abs(seeds[:, 1:]) > bound).any(axis=1).mean() == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize(
    ("shift", "run", "seeds", "state"),
    [(0.05, 0.0, 2, "decided"), (0.05, 0.0, 1, "go on"), (0.03, 0.03, 2, "go on"), (0.0, 0.03, 5, "finished")],
)
def test_where_an_arm_stands(shift, run, seeds, state):
    (found,) = standing(planted(shift, seeds=seeds, run=run, regions=("WT",), seed=2), "ref")
    assert (found.state, found.seeds) == (state, seeds)
    assert (found.hope > 0) == (state == "go on")


def test_an_arm_that_patients_leave_undecided_is_hopeless():
    rng = np.random.default_rng(0)
    patient = {f"p{p}": rng.normal(0.02, 0.2) for p in range(20)}
    rows = planted(0.0, patients=20, seeds=2, regions=("WT",))
    rows = [r if r.arm == "ref" else type(r)(**{**r.__dict__, "value": r.value + patient[r.case]}) for r in rows]
    (found,) = standing(rows, "ref")
    assert found.state == "hopeless"


def test_one_training_set_is_hopeless_however_many_seeds():
    (found,) = standing(planted(0.05, folds=1, seeds=2, regions=("WT",)), "ref")
    assert (found.state, found.hope) == ("hopeless", 0.0)
    assert "3 folds or more" in found.reason


def test_arms_that_deserve_the_next_runs_come_first():
    found = standing(planted(0.02, arms=("a", "b"), run=0.03, seeds=2, regions=("WT",)), "ref")
    hopes = [one.hope for one in found]
    assert hopes == sorted(hopes, reverse=True)


def test_the_first_word_stands_and_looks_cost_something():
    early = planted(0.05, seeds=2, regions=("WT",))
    late = planted(0.05, seeds=2, regions=("WT",)) + [
        type(r)(**{**r.__dict__, "seed": r.seed + 2, "value": r.value + (0.12 if r.arm == "ref" else 0)}) for r in early
    ]
    rule = Spending(most_seeds=4)
    assert compare(early, "ref", spending=rule)[0].verdict == "helps"
    assert compare(late, "ref", spending=rule)[0].verdict == "helps"
    assert compare(late, "ref")[0].verdict == "undecided"
    assert compare(early, "ref", spending=rule)[0].p_holm == pytest.approx(rule.times * compare(early, "ref")[0].p_holm)


def test_before_the_first_look_nothing_is_said():
    (found,) = compare(planted(0.05, seeds=1, regions=("WT",)), "ref", spending=Spending())
    assert found.verdict == "undecided"
    assert "first look" in found.reasons[0]
