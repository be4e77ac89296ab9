"""The tables by patient: hand-made numbers."""

import math
from dataclasses import replace

import pytest

from mrfusion.comparison.aggregate import MEAN, arm_means, case_table, mean_differences, paired, patient_means
from mrfusion.result import ScoreRow

NAN = float("nan")


def row(arm, case, region, value, *, seed=0, patient=None, status="scored", in_target=True):
    return ScoreRow(arm, 0, seed, case, patient or case, region, "dice", value, status, in_target)


ROWS = [
    row("a", "p1-t0", "WT", 0.8, patient="p1"),
    row("a", "p1-t1", "WT", 0.6, patient="p1"),
    row("a", "p1-t0", "WT", 0.9, patient="p1", seed=1),
    row("a", "p1-t1", "WT", 0.7, patient="p1", seed=1),
    row("a", "p2", "WT", 0.4),
    row("a", "p2", "WT", 0.2, seed=1),
    row("a", "p1-t0", "ET", 0.5, patient="p1"),
    row("a", "p2", "ET", NAN, status="undefined", in_target=False),
    row("a", "p2", "ET", 0.0, seed=1, status="penalised", in_target=False),
]


def by_key(rows):
    return {(r.arm, r.region, getattr(r, "case", "")): r for r in rows}


def test_the_unit_is_the_patient():
    means = by_key(arm_means(ROWS))
    # p1: (0.85 + 0.65) / 2 = 0.75 although it has two cases; p2: 0.3
    assert means["a", "WT", ""].mean == pytest.approx((0.75 + 0.3) / 2)
    assert (means["a", "WT", ""].patients, means["a", "WT", ""].seeds, means["a", "WT", ""].scored) == (2, 2, 6)


def test_undefined_stays_out_and_is_counted():
    et = by_key(arm_means(ROWS))["a", "ET", ""]
    assert et.mean == pytest.approx((0.5 + 0.0) / 2)
    assert (et.scored, et.penalised, et.undefined, et.without_region) == (1, 1, 1, 1)
    assert et.mean_with_region == pytest.approx(0.5)


def test_mean_over_regions_is_taken_within_a_run():
    cases = by_key(case_table(ROWS))
    assert cases["a", MEAN, "p1-t0"].value == pytest.approx(((0.8 + 0.5) / 2 + 0.9) / 2)
    assert cases["a", MEAN, "p2"].value == pytest.approx((0.4 + (0.2 + 0.0) / 2) / 2)
    assert cases["a", MEAN, "p2"].status == "undefined"


def test_a_case_without_any_value_is_in_no_mean():
    rows = [row("a", "x", "WT", NAN, status="undefined"), row("a", "y", "WT", 0.5)]
    wt = by_key(arm_means(rows))["a", "WT", ""]
    assert (wt.mean, wt.patients, wt.undefined) == (0.5, 1, 1)
    assert math.isnan(wt.low)
    assert patient_means(case_table(rows[:1])) == {}


def test_pairs_need_a_value_on_both_sides():
    rows = [row("ref", "x", "WT", 0.5), row("ref", "y", "WT", NAN), row("b", "x", "WT", 0.6), row("b", "y", "WT", 0.9)]
    pairs = [p for p in paired(case_table(rows), "ref") if p.region == "WT"]
    assert [(p.case, pytest.approx(p.difference)) for p in pairs] == [("x", pytest.approx(0.1))]
    assert mean_differences(pairs) == {("b", "dice", "WT"): pytest.approx(0.1)}


def test_no_interval_of_a_mean_leaves_the_metrics_range():
    wt = by_key(arm_means([row("a", f"p{n}", "WT", value) for n, value in enumerate((1.0, 0.99, 0.7))]))["a", "WT", ""]
    assert 0.0 <= wt.low < wt.mean < wt.high == 1.0
    far = [replace(one, metric="hd95", value=value) for one, value in zip(ROWS[:4:3], (0.0, 90.0), strict=True)]
    hd95 = by_key(arm_means([replace(far[0], patient="p0"), far[1]]))["a", "WT", ""]
    assert (hd95.low, hd95.mean) == (0.0, 45.0)
    assert 90 < hd95.high < math.inf
