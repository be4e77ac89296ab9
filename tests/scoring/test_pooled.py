"""Metrics of all folds together as one number a patient: against DeLong by hand, scikit-learn, and simulated truth."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score, roc_curve

from mrfusion.class_metrics._votes import Votes
from mrfusion.comparison.compare import compare
from mrfusion.scoring.pooled import Answered, pooled_scores, pseudo_values, roc


def answered(arm, scores, truth, *, fold=0, seed=0, patients=None, start=0):
    names = tuple(patients or (f"p{start + k}" for k in range(len(truth))))
    shares = 1 / (1 + np.exp(-np.asarray(scores, float)))
    votes = Votes(np.stack([1 - shares, shares], axis=1), np.asarray(truth), ("LGG", "HGG"))
    return Answered(arm, fold, seed, names, names, votes)


def drawn(rng, count, gap):
    truth = (np.arange(count) % 2).astype(int)
    return rng.normal(size=count) + gap * truth, truth


def delong(scores, truth):
    """The variance of an AUC by DeLong, DeLong and Clarke-Pearson 1988, from placements."""
    ones, zeros = scores[truth == 1], scores[truth == 0]
    wins = (ones[:, None] > zeros).astype(float)
    return wins.mean(axis=1).var(ddof=1) / len(ones) + wins.mean(axis=0).var(ddof=1) / len(zeros)


def test_pseudo_values_have_the_mean_of_the_auc_and_the_variance_of_delong():
    scores, truth = drawn(np.random.default_rng(0), 200, 1.0)
    one = answered("a", scores, truth)
    values = pseudo_values(one.votes, np.array(one.patients), "auc")
    assert list(values) == ["*"]  # with two classes all three are one
    found = np.array(list(values["*"].values()))
    assert found.mean() == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert found.var(ddof=1) / len(found) == pytest.approx(delong(scores, truth), rel=0.02)


def test_pseudo_values_of_f1_are_those_of_scikit_learn():
    scores, truth = drawn(np.random.default_rng(1), 40, 1.0)
    one = answered("a", scores, truth)
    found = pseudo_values(one.votes, np.array(one.patients), "f1")["HGG"]
    called = (scores > 0).astype(int)
    without = np.arange(40) != 3
    expected = 40 * f1_score(truth, called) - 39 * f1_score(truth[without], called[without])
    assert found["p3"] == pytest.approx(expected)


def study(rng, gap, *, count=100, folds=5, seeds=2, patient=0.7):
    """Two arms of which the second is ``gap`` better; answers of a patient go together."""
    scores, truth = drawn(rng, count, 1.0)
    runs = []
    for seed in range(seeds):
        for arm, more in (("concat", 0.0), ("late", gap)):
            answers = scores + more * truth + rng.normal(0, patient, count)
            for fold in range(folds):
                here = np.arange(count) % folds == fold
                names = [f"p{k}" for k in np.flatnonzero(here)]
                runs.append(answered(arm, answers[here], truth[here], fold=fold, seed=seed, patients=names))
    return runs


def test_an_arm_that_separates_better_helps_by_auc_and_both_regions_are_judged():
    rows = compare(pooled_scores(study(np.random.default_rng(0), 3.0)), "concat")
    found = {(row.metric, row.region): row for row in rows}
    assert found["auc", "*"].verdict == "helps"
    assert (found["auc", "*"].patients, found["auc", "*"].scope) == (100, "the method")
    assert {"auc", "balanced_accuracy", "f1", "sensitivity", "specificity"} <= {metric for metric, _ in found}
    assert found["sensitivity", "HGG"].effect > 0


def test_under_the_null_few_words_are_false_and_intervals_cover():
    said, held = 0, 0
    for number in range(120):
        rng = np.random.default_rng(number)
        (row,) = compare(pooled_scores(study(rng, 0.0, count=60), ["auc"]), "concat")
        said += row.verdict.startswith(("helps", "hurts"))
        held += row.ci_low <= 0 <= row.ci_high
    assert said <= 12
    assert held >= 108


def test_a_seed_without_all_folds_is_left_out():
    runs = [run for run in study(np.random.default_rng(0), 1.0) if not (run.seed == 1 and run.fold == 4)]
    assert {row.seed for row in pooled_scores(runs, ["auc"])} == {0}


def test_the_only_patient_of_a_class_has_no_value():
    one = answered("a", [0.1, 0.5, -0.3], [0, 1, 0])
    values = pseudo_values(one.votes, np.array(one.patients), "auc")["*"]
    assert math.isnan(values["p1"])
    assert not math.isnan(values["p0"])


def test_the_curve_is_scikit_learns_and_the_band_holds_it():
    scores, truth = drawn(np.random.default_rng(2), 80, 1.2)
    found = roc([answered("a", scores, truth)], 1, draws=200)
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert found is not None
    corners = np.unique(false)[1:-1]
    expected = [true[false == corner].max() for corner in corners]
    mine = np.interp(corners, found.at, found.rate)
    assert np.abs(mine - expected).mean() < 0.03
    assert (found.low <= found.rate + 1e-9).all()
    assert (found.rate <= found.high + 1e-9).all()
    area = np.trapezoid(found.rate, found.at)
    assert area == pytest.approx(roc_auc_score(truth, scores), abs=0.01)
    assert roc([answered("a", [0.1, 0.2], [1, 1])], 1) is None


def test_a_curve_of_nothing_is_the_diagonal():
    rng = np.random.default_rng(3)
    found = roc([answered("a", rng.normal(size=2000), np.arange(2000) % 2)], 1, draws=50)
    assert found is not None
    assert np.abs(found.rate - found.at).max() < 2 * stats.ksone.ppf(0.999, 700)
