"""A classification in the report: verdicts by AUC and its kin, and ROC curves."""

import json

import numpy as np

from mrfusion.report.page import build_report
from mrfusion.result import CaseScore
from mrfusion.run_folder.probabilities import Answer
from mrfusion.study.load import load_study


def classified(folder, gap):
    """Answers for every run: late separates better by ``gap``."""
    truth = {f"case-{n:02d}": n % 2 for n in range(60)}
    rng = np.random.default_rng(0)
    shared = {case: rng.normal() for case in truth}
    for run in load_study(folder).runs:
        answers, rows = [], []
        for case in sorted({score.case for score in run.scores}):
            more = gap if run.arm == "late" else 0.3
            logit = shared[case] * 0.3 + (2 * truth[case] - 1) * more + rng.normal(0, 0.7)
            share = float(1 / (1 + np.exp(-logit)))
            answers.append(Answer(case, ("LGG", "HGG")[truth[case]], (1 - share, share)))
            rows.append(CaseScore(case, "*", "correct", float((share > 0.5) == truth[case])))
        run.folder.write_probabilities(("LGG", "HGG"), answers)
        run.folder.write_scores(rows, {})


def test_a_classification_is_judged_by_auc_f1_and_the_rest(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.0}, cases=60, folds=5, seeds=2, size=16)
    classified(folder, 3.0)
    page = build_report(load_study(folder))
    rows = json.loads(page.with_suffix(".json").read_text())["comparisons"]
    found = {(row["metric"], row["region"]): row for row in rows}
    assert found["auc", "*"]["verdict"] == "helps"
    assert found["correct", "*"]["verdict"] == "helps"
    assert {metric for metric, _ in found} == {
        "correct", "auc", "balanced_accuracy", "f1", "sensitivity", "specificity",
    }  # fmt: skip
    assert ("correct", "mean") not in found
    text = page.read_text()
    assert "ROC curves" in text
    assert "roc-figure" in text
    assert "AUC, points (higher is better)" in text
    assert "Accuracy points" in text
    assert "true positive rate of LGG" in text
    assert "<dt>Regions</dt>" not in text
    assert "whose target lacks a region" not in text
