"""Shapley values: against the average over all orders, and the properties that define them."""

from itertools import permutations

import numpy as np
import pytest

from mrfusion.comparison.shapley import shapley, subsets, worths
from mrfusion.errors import InputError

NAMES = ("t1n", "t1c", "t2w", "t2f")


def scored(seed=0, patients=12, names=NAMES):
    rng = np.random.default_rng(seed)
    return {s: rng.random(patients) for s in subsets(names)}


def test_it_is_the_mean_over_all_orders():
    scores = scored()
    found = shapley(scores, NAMES)
    for name in NAMES:
        gains = []
        for order in permutations(NAMES):
            before = frozenset(order[: order.index(name)])
            gains.append(scores[before | {name}] - scores[before])
        assert found[name] == pytest.approx(np.mean(gains, axis=0))


@pytest.mark.parametrize("seed", range(5))
def test_they_add_up_to_all_minus_none(seed):
    scores = scored(seed)
    assert sum(shapley(scores, NAMES).values()) == pytest.approx(scores[frozenset(NAMES)] - scores[frozenset()])


def test_a_modality_that_adds_nothing_is_worth_nothing_and_twins_are_worth_the_same():
    scores = {s: np.full(3, 0.3 * bool({"t1c", "t2f"} & s) + 0.2 * ("t2w" in s)) for s in subsets(NAMES)}
    found = shapley(scores, NAMES)
    assert found["t1n"] == pytest.approx(0)
    assert found["t1c"] == pytest.approx(found["t2f"])
    assert found["t2w"] == pytest.approx(0.2)


def test_without_a_score_of_nothing_it_is_zero():
    scores = scored()
    del scores[frozenset()]
    assert sum(shapley(scores, NAMES).values()) == pytest.approx(scores[frozenset(NAMES)])


def test_worths_are_means_with_intervals_and_leave_out_incomplete_patients():
    scores = scored(patients=30)
    scores[frozenset({"t1n"})][4] = np.nan
    found = worths(scores, NAMES)
    kept = np.arange(30) != 4
    expected = shapley({s: v[kept] for s, v in scores.items()}, NAMES)
    assert [row.value for row in found] == sorted((v.mean() for v in expected.values()), reverse=True)
    assert all(row.low < row.value < row.high for row in found)


def test_what_is_lacking_is_said():
    scores = scored()
    del scores[frozenset({"t1c", "t2f"})]
    with pytest.raises(InputError, match="t1c, t2f"):
        shapley(scores, NAMES)
    with pytest.raises(InputError, match=r"\(12,\)"):
        shapley(scored() | {frozenset({"t1n"}): np.zeros(3)}, NAMES)
    with pytest.raises(InputError, match="at least one patient"):
        worths({s: v * np.nan for s, v in scored().items()}, NAMES)
