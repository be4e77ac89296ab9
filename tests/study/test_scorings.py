"""The same trainings scored in two ways: trained once, both printed, each as if it were alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from in_process import InProcess
from mrfusion.command.study import show_study
from mrfusion.errors import SpecError
from mrfusion.phantom.cohort import write_cohort
from mrfusion.run import execute
from mrfusion.study.design import read_study
from mrfusion.study.load import load_study

STUDY = """
data: {sources: [{path: PHANTOM, layout: brats(year=2023)}], split: {folds: 1, test_share: 0.4}}
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1, slices: [0.4, 0.6]}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu}
rules: paper
metrics: [dice, target_volume_mm3]
arms:
  concat: {}
  only t1c: {plan: only(t1c)}
"""
BOTH = (
    "scorings: {whole <b>: {rules: brats2023-MEN, metrics: [lesion_dice, target_volume_mm3], sampling: {score: whole}}}"
)


def study_file(folder: Path, text: str, phantom: Path = Path("nowhere")) -> Path:
    file = folder / "study.yaml"
    file.write_text(text.replace("PHANTOM", str(phantom)), encoding="utf-8")
    return file


@pytest.mark.filterwarnings("ignore:.*regions contradict each other")  # networks of one epoch
def test_both_ways_are_printed_of_one_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, real = [], execute.fit

    def counted(training: Any, phases: Any) -> Any:
        trained.append(training)
        return real(training, phases)

    monkeypatch.setattr(execute, "fit", counted)
    phantom = write_cohort(tmp_path / "phantom", cases=6, spacing_mm=8.0, workers=1)
    out = tmp_path / "out"
    show_study(read_study(study_file(tmp_path, STUDY + BOTH, phantom)), InProcess(), out=out, cache=None)
    assert len(trained) == 2, "two arms, each trained once"
    found = load_study(out)
    (whole,) = found.scorings.values()
    assert [found.metrics, whole.metrics] == [("dice",), ("lesion_dice",)]
    slab_mm3, whole_mm3 = (
        {
            (row.case, row.arm): row.value
            for row in study.scores
            if row.metric == "target_volume_mm3" and row.region == "WT"
        }
        for study in (found, whole)
    )
    assert slab_mm3.keys() == whole_mm3.keys()
    assert sum(slab_mm3.values()) < sum(whole_mm3.values())
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "Scored otherwise" in html
    assert "rules paper, slices from 0.4 to 0.6 of the depth, dice" in html
    assert "rules brats2023-MEN, whole cases, lesion_dice" in html
    assert "whole <b>" not in html, "names are escaped"
    said = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert {row["metric"] for row in said["scorings"]["whole <b>"]} == {"lesion_dice"}
    assert "scored otherwise (whole <b>)" in " ".join(capsys.readouterr().out.split())

    alone = STUDY.replace("rules: paper\nmetrics: [dice,", "rules: brats2023-MEN\nmetrics: [lesion_dice,")
    text = alone.replace("slices: [0.4, 0.6]", "slices: [0.4, 0.6], score: whole")
    file = study_file(tmp_path, text, phantom)
    show_study(read_study(file), InProcess(), out=tmp_path / "alone", cache=out / "cache")
    assert load_study(tmp_path / "alone").scores == whole.scores, "to the bit what a study of that scoring says"


@pytest.mark.parametrize(("line", "said"), [
    ("{x: {seed: 3}}", "x would change the training"),
    ("{x: {sampling: {slices: [0.1, 0.2]}}}", "x would change the training"),
    ("{x: {rules: paper}}", "x says what the study says itself"),
    ("{x: {rules: papper}}", "x: no rules are called 'papper'; did you mean 'paper'"),
    ("{x: {metrics: [dicee]}}", "x: no metrics choice is called 'dicee'"),
])  # fmt: skip
def test_a_scoring_changes_scores_alone(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        read_study(study_file(tmp_path, f"{STUDY}scorings: {line}\n"))


def test_answers_of_searches_are_not_scored_otherwise(tmp_path: Path) -> None:
    text = STUDY.replace("only t1c: {plan: only(t1c)}", "found: {plan: separate>mean, search: forward}")
    with pytest.raises(SpecError, match="arm 'found' is the answer of a search"):
        read_study(study_file(tmp_path, text + BOTH))
