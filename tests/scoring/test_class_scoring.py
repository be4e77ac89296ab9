"""The table of a classification: rows of cases and of the cohort, written and read back, faults named."""

from pathlib import Path

import numpy as np
import pytest

from mrfusion import families
from mrfusion.errors import CaseError, InputError
from mrfusion.run_folder.probabilities import write_probabilities
from mrfusion.scoring.classes import answers_of, class_table, read_class_table, score_classes

TABLE = class_table(
    ["P1", "P2", "P3"], [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]], targets=["low", "high", "high"], classes=["low", "high"]
)


def test_each_case_has_its_probabilities_and_the_cohort_its_metrics() -> None:
    scores = {(s.case, s.region, s.metric): s.value for s in score_classes(TABLE)}
    assert scores["P2", "high", "probability"] == 0.7
    assert [scores[case, "*", "correct"] for case in ("P1", "P2", "P3")] == [1, 1, 0]
    assert scores["*", "*", "accuracy"] == pytest.approx(2 / 3)
    assert scores["*", "high", "sensitivity"] == 0.5
    assert {metric for case, _, metric in scores if case == "*"} == set(families.names("class_metrics"))


def test_no_metric_of_the_family_has_the_name_of_a_case_row() -> None:
    assert not {"probability", "correct"} & set(families.names("class_metrics"))


def test_only_the_metrics_asked_for_under_the_name_asked_for() -> None:
    scores = score_classes(TABLE, ["calibration_error(bins = 4)"])
    assert [s.metric for s in scores if s.case == "*"] == ["calibration_error(bins=4)"]


def test_an_undefined_value_keeps_its_reason() -> None:
    table = class_table(["P1"], [[0.9, 0.1]], targets=["low"], classes=["low", "high"])
    (score,) = [s for s in score_classes(table, ["balanced_accuracy"]) if s.case == "*"]
    assert np.isnan(score.value)
    assert score.status == "undefined"
    assert "'high'" in score.reason


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_probabilities(tmp_path / "votes.csv", TABLE.votes.classes, answers_of(TABLE))
    assert score_classes(read_class_table(tmp_path / "votes.csv")) == score_classes(TABLE)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("case,low,high\nP1,0.5,0.5\n", InputError, "lacks the columns target"),
        ("case,target,low,high\n", InputError, "no cases"),
        ("case,target,low,high\nP1,lo,0.5,0.5\n", CaseError, "did you mean 'low'"),
        ("case,target,low,high\nP1,,0.5,0.5\n", InputError, "case P1: the column target is empty; write the name"),
        ("case,target,low,high\nP1,low,0.5,half\n", CaseError, "case P1: expected a number for 'high'"),
        ("case,target,low,high\nP1,low,0.5\n", CaseError, "expected a number for 'high', found ''"),
        ("case,target,low,high\nP1,low,0.5,0.9\n", InputError, "votes.csv: .*add up to 1"),
        ("case,target,low,high\nP1,low,0.5,0.5\nP1,low,0.5,0.5\n", CaseError, "different case ids"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(error, match=message):
        read_class_table(tmp_path / "votes.csv")
