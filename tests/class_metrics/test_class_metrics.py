"""Every class metric: its contract, scikit-learn and hand computation as references, folds that lack a class."""

import numpy as np
import pytest
from sklearn import metrics as reference

from mrfusion import families
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.errors import InputError, SpecError
from mrfusion.result import Value

NAMES = families.names("class_metrics")


def votes_of(n: int, classes: str, *, seed: int = 0, sharpness: float = 1.0) -> Votes:
    """Random votes that know something of the truth, every class occurring."""
    random = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(len(classes)), random.integers(0, len(classes), n - len(classes))])
    logits = random.normal(size=(n, len(classes))) + sharpness * np.eye(len(classes))[targets]
    exponents = np.exp(logits)
    return Votes(exponents / exponents.sum(axis=1, keepdims=True), targets, tuple(classes))


def answer(name: str, votes: Votes) -> dict[str, Value]:
    return families.load("class_metrics", name)(votes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", ["ab", "abcd"])
def test_answers_for_the_cohort_and_within_its_range(name: str, classes: str) -> None:
    about = families.module_of("class_metrics", name).ABOUT
    values = answer(name, votes_of(50, classes))
    assert about.better in ("higher", "lower")
    assert about.undefined
    assert set(values) in ({ALL}, {ALL, *classes})
    for value in values.values():
        assert about.range[0] <= float(value) <= about.range[1]
        assert value.status == "scored"
        assert not value.reason


@pytest.mark.parametrize("name", NAMES)
def test_certain_and_right_votes_reach_the_best_value(name: str) -> None:
    about = families.module_of("class_metrics", name).ABOUT
    best = about.range[1] if about.better == "higher" else about.range[0]
    votes = Votes(np.eye(3)[[0, 1, 2, 1]], np.array([0, 1, 2, 1]), ("a", "b", "c"))
    assert {float(value) for value in answer(name, votes).values()} == {best}


@pytest.mark.parametrize("name", NAMES)
def test_neither_the_order_of_cases_nor_of_classes_matters(name: str) -> None:
    votes = votes_of(40, "abc")
    cases, classes = np.random.default_rng(1).permutation(40), np.array([2, 0, 1])
    shuffled = Votes(votes.probabilities[cases][:, classes], np.argsort(classes)[votes.targets[cases]], ("c", "a", "b"))
    for region, value in answer(name, votes).items():
        assert float(answer(name, shuffled)[region]) == pytest.approx(float(value), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_fold_of_one_class_is_scored_or_says_why_not(name: str) -> None:
    votes = Votes(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), np.zeros(3, int), ("low", "high"))
    values = answer(name, votes)
    for value in values.values():
        assert np.isnan(float(value)) == (value.status == "undefined") == bool(value.reason)
    if name not in ("accuracy", "brier", "calibration_error"):
        assert values[ALL].status == "undefined"
        assert "no case belongs to class 'high'" in values[ALL].reason


@pytest.mark.parametrize("classes", ["ab", "abcd"])
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(classes: str, seed: int) -> None:
    votes = votes_of(60, classes, seed=seed, sharpness=1.5)
    truth, called = votes.targets, votes.predicted
    labels = range(len(classes))
    scores = {
        "accuracy": reference.accuracy_score(truth, called),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "sensitivity": reference.recall_score(truth, called, average="macro"),
        "precision": reference.precision_score(truth, called, average="macro"),
        "f1": reference.f1_score(truth, called, average="macro"),
        "auc": np.mean([reference.roc_auc_score(truth == k, votes.probabilities[:, k]) for k in labels]),
        "specificity": np.mean([reference.recall_score(truth != k, called != k) for k in labels]),
        "brier": sum(np.mean((votes.probabilities[:, k] - (truth == k)) ** 2) for k in labels),
    }
    for name, expected in scores.items():
        assert float(answer(name, votes)[ALL]) == pytest.approx(expected, abs=1e-12), name
    for name, score in [("sensitivity", reference.recall_score), ("f1", reference.f1_score)]:
        values = answer(name, votes)
        assert [float(values[c]) for c in classes] == pytest.approx(list(score(truth, called, average=None)), abs=1e-12)


def test_two_classes_have_the_binary_auc_with_ties_counted_half() -> None:
    p = np.array([0.1, 0.4, 0.4, 0.8, 0.8, 0.9])
    truth = np.array([0, 0, 1, 0, 1, 1])
    values = answer("auc", Votes(np.stack([1 - p, p], axis=1), truth, ("low", "high")))
    assert {float(value) for value in values.values()} == {7 / 9}  # of 9 pairs, 6 in order, 2 tied
    assert reference.roc_auc_score(truth, p) == pytest.approx(7 / 9)


def test_calibration_error_by_hand() -> None:
    """Two bins: (0.5, 1] holds confidences 0.6, 0.8, 1.0 with two right: |2/3 - 0.8|; (0, 0.5] holds 0.5, right."""
    p = np.array([[0.6, 0.4], [0.2, 0.8], [0.0, 1.0], [0.5, 0.5]])
    votes = Votes(p, np.array([0, 1, 0, 0]), ("a", "b"))
    assert float(answer("calibration_error(bins=2)", votes)[ALL]) == pytest.approx(0.75 * (0.8 - 2 / 3) + 0.25 * 0.5)
    with pytest.raises(SpecError, match="a whole number of at least 1 for bins, found 0"):
        answer("calibration_error(bins=0)", votes)


def test_calibration_error_against_a_loop_over_bins() -> None:
    votes = votes_of(200, "abc", sharpness=3)
    confidence, total = votes.probabilities.max(axis=1), 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            right = (votes.predicted == votes.targets)[inside].mean()
            total += inside.mean() * abs(right - confidence[inside].mean())
    assert float(answer("calibration_error", votes)[ALL]) == pytest.approx(total, abs=1e-12)


def test_a_class_that_is_never_predicted_costs_precision_and_is_said() -> None:
    votes = Votes(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), ("low", "high"))
    values = answer("precision", votes)
    assert float(values["high"]) == 0
    assert values["high"].status == values[ALL].status == "penalised"
    assert "never predicted" in values[ALL].reason
    assert float(values[ALL]) == 0.25


@pytest.mark.parametrize(
    ("probabilities", "targets", "classes", "message"),
    [
        ([[2.0, -1.0]], [0], "ab", "add up to 1"),
        ([[0.4, 0.4]], [0], "ab", "softmax"),
        ([[np.nan, 0.4]], [0], "ab", "add up to 1"),
        ([[0.4, 0.6]], [2], "ab", "from 0 to 1"),
        ([[0.4, 0.6]], [0.0], "ab", "whole numbers"),
        ([[0.4, 0.6]], [0, 1], "ab", "whole numbers"),
        ([[0.4, 0.6]], [0], "abc", r"\(cases, 3\)"),
        ([[1.0]], [0], "a", "two or more"),
        ([[0.4, 0.6]], [0], "a*", "none of them"),
        (np.zeros((0, 2)), [], "ab", "one case or more"),
    ],
)
def test_votes_that_are_none_are_refused(probabilities: list, targets: list, classes: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Votes(np.array(probabilities), np.array(targets), tuple(classes))
