"""Comparisons: pairing by hand, families, verdicts on planted truth, and advice that keeps its word."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mrfusion.comparison.advice import Advice, Design, advise, power
from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.bootstrap import Differences, Interval, Spread
from mrfusion.comparison.compare import compare, differences
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.verdict import Yardstick, judge, yardstick
from mrfusion.result import ScoreRow

NAN = float("nan")


def row(arm, case, value, *, region="WT", seed=0, fold=0, patient=None, metric="dice"):
    return ScoreRow(arm, fold, seed, case, patient or case, region, metric, value)


def planted(shift, *, patients=40, metric="dice", seed=0, arms=("a",), regions=("WT", "TC")):
    """Scores of a reference and of arms that are ``shift`` better in each of two seeds and five folds."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(patients):
        for s in range(2):
            for region in regions:
                base = rng.normal(0.8, 0.03)
                rows.append(row("ref", f"p{p}", base, region=region, seed=s, fold=p % 5, metric=metric))
                for arm in arms:
                    value = base + shift + rng.normal(0, 0.005)
                    rows.append(row(arm, f"p{p}", value, region=region, seed=s, fold=p % 5, metric=metric))
    return rows


def test_pairs_are_of_one_case_fold_and_seed():
    rows = [
        row("ref", "p1-t0", 0.5, patient="p1"), row("ref", "p1-t1", 0.6, patient="p1"), row("ref", "p2", 0.2),
        row("a", "p1-t0", 0.7, patient="p1"), row("a", "p1-t1", 0.7, patient="p1"), row("a", "p2", 0.1),
        row("ref", "p2", 0.3, seed=1), row("a", "p2", NAN, seed=1), row("a", "p1-t0", 0.9, patient="p1", seed=1),
        row("ref", "p3", 0.4),
    ]  # fmt: skip
    found = differences(rows, "ref")
    assert list(found) == [("a", "WT", "dice")]
    assert found["a", "WT", "dice"].values == pytest.approx(np.array([[0.15], [-0.1]]))


def test_a_cell_without_a_pair_leaves_the_effect_alone():
    rows = [row("ref", p, 0.5, seed=s) for p in ("p1", "p2") for s in (0, 1)]
    rows += [row("a", "p1", 0.6), row("a", "p1", 0.8, seed=1), row("a", "p2", 0.4)]
    found = differences(rows, "ref")["a", "WT", "dice"]
    assert found.values == pytest.approx(np.array([[0.1, 0.3], [-0.1, -0.1]]))
    assert found.effect == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("shift", "word"), [(0.03, "helps"), (-0.03, "hurts"), (0.005, "helps, negligibly"), (0.0, "equivalent")]
)
def test_planted_effects_are_found(shift, word):
    found = compare(planted(shift), "ref", draws=2000)
    assert {(c.region, c.verdict) for c in found} == {(r, word) for r in ("WT", "TC", MEAN)}
    first = found[0]
    assert (first.patients, first.seeds, first.folds, first.reference, first.advice) == (40, 2, 5, "ref", "")
    assert first.ci_low < first.effect < first.ci_high
    assert first.effect == pytest.approx(shift, abs=0.003)


def test_lower_is_better_in_millimetres():
    by_distance = [replace(r, value=100 * r.value, metric="hd95") for r in planted(0.05)]
    assert {c.verdict for c in compare(by_distance, "ref", draws=500)} == {"hurts"}
    assert {c.margin for c in compare(by_distance, "ref", draws=500)} == {2.0}


def test_no_interval_is_wider_than_the_metric_allows():
    shifts = {0: -0.7, 1: -0.7, 2: 0.0}  # two of three trainings came to nothing
    rng = np.random.default_rng(0)
    rows = [row("ref", f"p{p}", 0.75, seed=s) for p in range(16) for s in shifts]
    rows += [row("a", f"p{p}", 0.75 + d + rng.normal(0, 0.02), seed=s) for p in range(16) for s, d in shifts.items()]
    (found,) = compare(rows, "ref")
    assert (found.ci_low, found.ci_high, found.verdict) == (-1.0, 1.0, "undecided")


def test_volumes_are_not_compared():
    assert compare([replace(r, metric="volume_mm3") for r in planted(0.1)], "ref") == []


def test_few_patients_decide_nothing():
    found = compare(planted(0.1, patients=5), "ref", draws=500)
    assert {c.verdict for c in found} == {"undecided"}
    assert math.isnan(found[0].p)
    assert "fewer than 6 patients" in found[0].advice


def test_the_declared_family_is_corrected_together_and_the_rest_apart():
    rows = planted(0.004, arms=("a", "b"), patients=12)
    alone = compare(rows, "ref", Hypotheses(regions=("WT",), arms=("a",)), draws=500)
    inside = next(c for c in alone if (c.arm, c.region) == ("a", "WT"))
    assert inside.family == "dice"
    assert inside.p_holm == inside.p
    assert {c.family for c in alone if c is not inside} == {"other dice"}
    assert all(c.p_holm >= c.p for c in alone)
    everything = compare(rows, "ref", draws=500)
    assert {c.family for c in everything} == {"dice"}
    assert min(c.p_holm for c in everything) == pytest.approx(6 * min(c.p for c in everything))


def test_a_margin_can_be_declared():
    wide = compare(planted(0.03), "ref", Hypotheses(margins={"dice": 0.1}), draws=500)
    assert {c.verdict for c in wide} == {"helps, negligibly"}


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (0.02, 0.04, 0.001, "helps"), (0.02, 0.04, 0.2, "undecided"), (-0.04, -0.02, 0.001, "hurts"),
        (-0.009, 0.009, 1.0, "equivalent"), (0.001, 0.009, 0.001, "helps, negligibly"),
        (0.001, 0.009, 0.2, "equivalent"), (-0.009, -0.001, 0.001, "hurts, negligibly"),
        (-0.02, 0.04, 0.001, "undecided"), (-0.01, 0.009, 1.0, "undecided"), (NAN, NAN, 0.001, "undecided"),
    ],
)  # fmt: skip
def test_the_rule(low, high, p, word):
    assert judge(Interval(low, high), p, Yardstick("dice", 1, 0.01)) == word


def test_without_a_margin_nothing_is_equivalent():
    assert judge(Interval(-1e-9, 1e-9), 1.0, Yardstick("own", 1, NAN)) == "undecided"


def test_yardsticks():
    assert yardstick("hd95(variant=voxel)") == Yardstick("hd95(variant=voxel)", -1, 2.0)
    assert yardstick("dice", 0.02) == Yardstick("dice", 1, 0.02, span=1.0)
    assert yardstick("correct") == Yardstick("correct", 1, 0.01, span=1.0)
    assert yardstick("volume_mm3") is None
    assert yardstick("somebodys_own") is None


def test_advice_is_kept_by_the_study_that_follows_it():
    rng = np.random.default_rng(3)
    data = Differences(rng.normal(0.02, 0.06, (20, 1)) - 0.0, (0,) * 20)
    data = Differences(data.values - data.effect + 0.02, data.folds)
    advice = advise(data, 0.01, 1.0)
    assert advice.patients is not None
    rows = []
    deviation = data.values.std(ddof=1)
    for s in range(60):
        drawn = np.random.default_rng(s).normal(0.02, deviation, 20 + advice.patients)
        rows.append(compare(
            [row(arm, f"p{n}", 0.5 + (d if arm == "a" else 0)) for n, d in enumerate(drawn) for arm in ("ref", "a")],
            "ref", draws=500,
        )[0].verdict != "undecided")  # fmt: skip
    assert np.mean(rows) >= 0.68


def test_seeds_are_advised_where_runs_differ():
    shared = np.random.default_rng(0).normal(0, 0.02, (1, 2, 3))
    values = (0.012 + shared + np.random.default_rng(1).normal(0, 0.004, (40, 2, 3)))[:, 0]
    advice = advise(Differences(values, (0, 1) * 20), 0.01, 1.0)
    assert advice.seeds is not None
    assert "more seed" in str(advice)


def test_an_effect_at_the_margin_is_not_decided_by_more():
    seen = Spread(patient=0.01, run=0.0, noise=0.0)
    assert power(0.0, seen, 1e-6, Design(1000, 5, 1)) < 0.1
    assert "neither" in str(Advice(None, None))
    assert str(Advice(10, 1)) == "about 10 more patients or about 1 more seed would decide"
