"""Comparisons: pairing by hand, families, verdicts on planted truth, and all by which a verdict was once fooled."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import compare
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.pairs import paired_differences
from mrfusion.comparison.verdict import Yardstick, judge, yardstick
from planted import planted, row

NAN = float("nan")


def test_pairs_are_of_one_case_fold_and_seed():
    rows = [
        row("ref", "p1-t0", 0.5, patient="p1"), row("ref", "p1-t1", 0.6, patient="p1"), row("ref", "p2", 0.2),
        row("a", "p1-t0", 0.7, patient="p1"), row("a", "p1-t1", 0.7, patient="p1"), row("a", "p2", 0.1),
        row("ref", "p3", 0.4),
    ]  # fmt: skip
    found = paired_differences(rows, "ref")
    assert list(found) == [("a", "WT", "dice")]
    assert found["a", "WT", "dice"].data.values == pytest.approx(np.array([[0.15], [-0.1]]))


def test_a_run_that_one_arm_lacks_is_left_out_and_named():
    rows = [r for r in planted(0.03, run=0.02) if r.arm == "ref" or r.seed == 0 or r.fold == 3]
    found = compare(rows, "ref")[0]
    assert found.interim
    assert found.missing == ((0, 1), (1, 1), (2, 1), (4, 1))
    assert (found.runs, found.patients) == (6, 40)
    assert any("interim" in note and "fold 0 seed 1" in note for note in found.notes)


def test_a_second_seed_in_one_fold_of_five_makes_no_false_words():
    words = []
    for number in range(150):
        rows = [r for r in planted(0.0, run=0.02, regions=("WT",), seed=number) if r.seed == 0 or r.fold == 0]
        words.append(compare(rows, "ref")[0].verdict)
    assert sum(word.startswith(("helps", "hurts")) for word in words) <= 14  # 15.7 % before; 5 % of 150 is 7.5


def test_a_patient_without_a_score_in_one_run_is_left_out_and_counted():
    rows = [replace(r, value=NAN) if (r.case, r.seed, r.arm) == ("p3", 1, "a") else r for r in planted(0.03)]
    found = compare(rows, "ref")[0]
    assert found.patients == 39
    assert any("1 patient is left out" in note for note in found.notes)


@pytest.mark.parametrize(
    ("shift", "word"), [(0.03, "helps"), (-0.03, "hurts"), (0.005, "helps, negligibly"), (0.0, "equivalent")]
)
def test_planted_effects_are_found(shift, word):
    found = compare(planted(shift), "ref")
    assert {(c.region, c.verdict) for c in found} == {(r, word) for r in ("WT", "TC", MEAN)}
    first = found[0]
    assert (first.patients, first.seeds, first.folds, first.reference, first.advice) == (40, 2, 5, "ref", "")
    assert (first.scope, first.reasons, first.missing, first.runs) == ("the method", (), (), 10)
    assert first.ci_low < first.inner_low < first.effect < first.inner_high < first.ci_high
    assert first.effect == pytest.approx(shift, abs=0.003)


def test_lower_is_better_in_millimetres():
    by_distance = [replace(r, value=100 * r.value, metric="hd95") for r in planted(0.05)]
    assert {c.verdict for c in compare(by_distance, "ref")} == {"hurts"}
    assert {c.margin for c in compare(by_distance, "ref")} == {2.0}


def test_one_training_set_earns_no_word_about_the_method():
    (found,) = compare(planted(0.05, folds=1, seeds=3, regions=("WT",)), "ref")
    assert (found.verdict, found.for_these_trainings, found.scope) == ("undecided", "helps", "these trainings")
    assert "3 folds or more" in found.reasons[0]


def test_a_single_run_an_arm_earns_no_word_at_all():
    (found,) = compare(planted(0.05, folds=1, seeds=1, regions=("WT",)), "ref")
    assert (found.verdict, found.for_these_trainings, found.scope) == ("undecided", "undecided", "these trainings")
    assert "2 seeds" in found.reasons[0]
    assert found.ci_low < 0.05 < found.ci_high


def test_one_seed_and_runs_that_differ_by_four_points_make_no_false_words():
    words = [
        compare(planted(0.0, run=0.04, seeds=1, folds=folds, patients=40, regions=("WT",), seed=n), "ref")[0].verdict
        for n in range(100) for folds in (1, 5)
    ]  # fmt: skip
    assert sum(word.startswith(("helps", "hurts")) for word in words) <= 11  # 25 to 71 % before


def test_no_interval_is_wider_than_the_metric_allows():
    shifts = {0: -0.7, 1: -0.7, 2: 0.0}  # two of three trainings came to nothing
    rng = np.random.default_rng(0)
    rows = [row("ref", f"p{p}", 0.75, seed=s) for p in range(16) for s in shifts]
    rows += [row("a", f"p{p}", 0.75 + d + rng.normal(0, 0.02), seed=s) for p in range(16) for s, d in shifts.items()]
    (found,) = compare(rows, "ref")
    assert (found.ci_low, found.for_these_trainings) == (-1.0, "undecided")


def test_volumes_are_not_compared():
    assert compare([replace(r, metric="volume_mm3") for r in planted(0.1)], "ref") == []


def test_few_patients_decide_nothing():
    found = compare(planted(0.1, patients=5), "ref")
    assert {c.verdict for c in found} == {"undecided"}
    assert "fewer than 6 patients" in found[0].reasons[0]
    assert math.isnan(found[0].ci_low)


def test_ties_are_no_evidence_of_equivalence():
    """Both networks at chance gave "equivalent: 0.0 (0.0 to 0.0; 12 patients)"."""
    (found,) = compare(planted_ties(0.5), "ref")
    assert found.verdict == "undecided"
    assert "ties are no evidence" in found.reasons[0]
    assert math.isnan(found.ci_low)
    assert math.isnan(found.ci_high)


def planted_ties(value, *, patients=12, metric="dice", differing=0, by=0.2):
    rows = [row(arm, f"p{p}", value, seed=s, fold=p % 3, metric=metric)
            for arm in ("ref", "a") for p in range(patients) for s in range(2)]  # fmt: skip
    places = [f"p{p}" for p in range(differing)]
    return [replace(r, value=r.value + by) if r.arm == "a" and r.case in places else r for r in rows]


def test_a_difference_of_the_same_amount_everywhere_decides_nothing():
    (found,) = compare(planted_ties(0.5, differing=12), "ref")
    assert found.verdict == "undecided"
    assert "exactly the same amount" in found.reasons[0]


def test_a_few_patients_that_differ_among_ties_decide_nothing():
    (found,) = compare(planted_ties(0.5, patients=100, differing=4), "ref")
    assert found.verdict == "undecided"
    assert "only 4 of 100 patients" in found.reasons[0]


def test_a_region_that_neither_arm_learned_decides_nothing_and_is_named():
    rng = np.random.default_rng(0)
    rows = planted(0.0, regions=("myocardium",))
    rows += [replace(r, region="scar", value=abs(rng.normal(0, 0.001))) for r in rows]
    found = {c.region: c for c in compare(rows, "ref")}
    assert found["scar"].verdict == "undecided"
    assert found["scar"].reasons[0] == "neither arm learned scar"
    assert found["myocardium"].verdict == "equivalent"
    assert found[MEAN].verdict == "undecided"
    told = [text for text in (*found[MEAN].reasons, *found[MEAN].notes) if "neither arm learned scar" in text]
    assert told == ["neither arm learned scar, so the mean cannot show equivalence"]


def test_a_region_that_one_arm_learned_is_judged():
    rng = np.random.default_rng(0)
    rows = [replace(r, value=abs(rng.normal(0, 0.01)) + (0.6 + rng.normal(0, 0.1) if r.arm == "a" else 0))
            for r in planted(0.0, regions=("scar",))]  # fmt: skip
    assert compare(rows, "ref")[0].verdict == "helps"


def test_escaping_a_penalty_by_spraying_voxels_is_no_help():
    """The reference never predicts scar and is penalised everywhere; the arm predicts a few wrong voxels."""
    rng = np.random.default_rng(0)
    rows = []
    for p in range(30):
        for s in range(2):
            place = {"seed": s, "fold": p % 5, "metric": "hd95", "region": "scar"}
            rows.append(row("ref", f"p{p}", 374.0, status="penalised", **place))
            rows.append(row("a", f"p{p}", 120 + rng.normal(0, 20), **place))
    (found,) = compare(rows, "ref")
    assert found.effect < -200
    assert found.verdict == "undecided"
    assert "30 of 30 patients a score is a penalty" in found.reasons[0]


def test_a_difference_that_holds_with_and_without_penalties_is_decided_and_says_so():
    rng = np.random.default_rng(0)
    rows = []
    for p in range(40):
        for s in range(2):
            place = {"seed": s, "fold": p % 5, "metric": "hd95", "region": "WT"}
            base = rng.normal(20, 2)
            lost = p < 2
            rows.append(row("ref", f"p{p}", 374.0 if lost else base, status="penalised" if lost else "scored", **place))
            rows.append(row("a", f"p{p}", base - 8 + rng.normal(0, 2), **place))
    (found,) = compare(rows, "ref")
    assert found.verdict == "undecided"  # with two penalties of 374 mm nothing is certain ...
    assert found.notes == (
        "a word would have to hold with and without 2 patients whose score is a penalty, or whose target lacks the "
        "region",
    )
    scored = [replace(r, value=60.0) if r.status == "penalised" else r for r in rows]
    (found,) = compare(scored, "ref")
    assert found.verdict == "helps"  # ... with moderate ones both ways agree
    assert any("the word holds with and without 2 patients" in note for note in found.notes)


def test_gains_in_empty_regions_alone_are_no_help():
    rng = np.random.default_rng(0)
    rows = []
    for p in range(40):
        for s in range(2):
            empty = p < 20
            place = {"seed": s, "fold": p % 5, "in_target": not empty}
            base = 0.0 if empty else rng.normal(0.8, 0.03)
            rows.append(row("ref", f"p{p}", base, **place))
            rows.append(row("a", f"p{p}", (1.0 if rng.random() < 0.7 else 0.0) if empty else base + rng.normal(0, 0.02),
                            **place))  # fmt: skip
    (found,) = compare(rows, "ref")
    assert found.effect > 0.2
    assert not found.verdict.startswith("helps")


def test_the_declared_hypotheses_are_corrected_together_and_the_rest_apart():
    rows = planted(0.004, arms=("a", "b"), patients=12)
    alone = compare(rows, "ref", Hypotheses(regions=("WT",), arms=("a",)))
    inside = next(c for c in alone if (c.arm, c.region) == ("a", "WT"))
    assert inside.family == "dice"
    assert inside.p_holm == inside.p
    assert {c.family for c in alone if c is not inside} == {"other dice"}
    assert all(c.p_holm >= c.p for c in alone)
    everything = compare(rows, "ref")
    assert {c.family for c in everything} == {"dice"}
    assert min(c.p_holm for c in everything) == pytest.approx(6 * min(c.p for c in everything))


def test_equivalence_is_corrected_for_the_family_too():
    rows = planted(0.0, arms=tuple("abcdef"), patients=12)
    found = compare(rows, "ref")
    alone = {c.arm: c for c in compare([r for r in rows if r.arm in ("ref", "a") and r.region == "WT"], "ref")}
    together = next(c for c in found if (c.arm, c.region) == ("a", "WT"))
    assert together.p_equivalent_holm > alone["a"].p_equivalent_holm


def test_a_word_lost_to_the_family_says_so():
    rows = planted(0.008, arms=tuple("abcdefgh"), patients=8, run=0.004, regions=("WT",), seed=4)
    lost = [c for c in compare(rows, "ref") if c.verdict == "undecided" and c.p < 0.05]
    assert lost
    assert all("alone" in c.reasons[0] for c in lost)


def test_a_margin_can_be_declared_with_its_reason():
    declared = Hypotheses(margins={"dice": 0.1}, margin_reasons={"dice": "two readers differ by as much"})
    wide = compare(planted(0.03), "ref", declared)
    assert {c.verdict for c in wide} == {"helps, negligibly"}
    assert wide[0].margin_reason == "two readers differ by as much"


@pytest.mark.parametrize("folds", [1, 2, 5])
@pytest.mark.parametrize("shift", [0.0, 0.01])
def test_undecided_never_comes_without_a_reason(folds, shift):
    for found in compare(planted(shift, folds=folds, run=0.03, patients=10), "ref"):
        assert (found.verdict == "undecided") == bool(found.reasons)


@pytest.mark.parametrize(
    ("effect", "p", "equivalent", "word"),
    [
        (0.03, 0.001, 0.9, "helps"), (0.03, 0.2, 0.9, "undecided"), (-0.03, 0.001, 0.9, "hurts"),
        (0.0, 1.0, 0.01, "equivalent"), (0.005, 0.001, 0.01, "helps, negligibly"),
        (-0.005, 0.001, 0.01, "hurts, negligibly"), (0.01, NAN, NAN, "undecided"),
    ],
)  # fmt: skip
def test_the_rule(effect, p, equivalent, word):
    assert judge(effect, p, equivalent, 1) == word
    assert judge(-effect, p, equivalent, -1) == word


def test_without_a_margin_nothing_is_equivalent():
    found = compare([replace(r, metric="target_volume_mm3") for r in planted(0.0)], "ref")
    assert found == []


def test_yardsticks():
    assert yardstick("hd95(variant=voxel)") == Yardstick("hd95(variant=voxel)", -1, 2.0)
    assert yardstick("dice", 0.02) == Yardstick("dice", 1, 0.02, span=1.0)
    assert yardstick("correct") == Yardstick("correct", 1, 0.01, span=1.0)
    assert yardstick("volume_mm3") is None
    assert yardstick("somebodys_own") is None


def test_patients_that_are_tested_in_several_folds_are_not_counted_twice():
    rng = np.random.default_rng(0)
    rows = [row(arm, f"p{p}", 0.8 + 0.05 * (arm == "a") + rng.normal(0, 0.02), fold=f, seed=s)
            for arm in ("ref", "a") for p in range(12) for f in range(3) for s in range(2)]  # fmt: skip
    (found,) = compare(rows, "ref")
    assert (found.patients, found.folds, found.seeds, found.scope) == (12, 1, 6, "these trainings")
