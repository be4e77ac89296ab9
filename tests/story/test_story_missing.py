"""The story of missing modalities: a study that trains for them, its subsets, their worth, cases that lack files."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from test_story import HERE, Said, mrfusion, refused, tables

from mrfusion.comparison.shapley import subsets
from mrfusion.comparison.subset_scores import summarise_subsets, text_of
from mrfusion.phantom.cohort import write_cohort
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.subsets import SubsetFolder

NAMES = ("t1n", "t1c", "t2w", "t2f")
STUDY = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 2}
network: unet(base=4,stages=1)
sampling: {per_case: 2}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu}
subsets: true
folds: [0]
arms:
  all: {absence: uniform, plan: "concat(fill=learned)"}
  never: {plan: "concat(t1c,t2f)"}
  only t1c: {plan: only(t1c)}
"""


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients, one of whom lacks a file; the study's own option accepts that."""
    return write_cohort(tmp_path_factory.mktemp("missing") / "phantom", cases=6, spacing_mm=6.0, workers=1)


def study_of(phantom: Path, name: str, text: str = STUDY) -> tuple[Said, Path]:
    path, out = phantom.parent / f"{name}.yaml", phantom.parent / name
    path.write_text(text.replace("PHANTOM", str(phantom)))
    return mrfusion("study", path, "--out", out, "--executor", HERE), out


@pytest.fixture(scope="module")
def out(phantom: Path) -> Path:
    said, place = study_of(phantom, "out")
    assert said.code == 0, said
    return place


def digests(out: Path) -> dict[str, str]:
    return {cell["arm"]: cell["digest"] for cell in json.loads((out / "study.json").read_text())["plan"]}


def test_the_study_scores_every_subset_of_every_run_that_has_any(out: Path) -> None:
    runs = {arm: out / "runs" / digest for arm, digest in digests(out).items()}
    assert {arm for arm, run in runs.items() if (run / "subsets").is_dir()} == {"all", "never"}
    rows = RunFolder(runs["all"]).subsets.read_scores()
    assert {row.arm for row in rows} == {text_of(subset, NAMES) for subset in subsets(NAMES)}
    assert len(rows) == 16 * 3 * 3
    tested = {(r["case"], r["region"]): float(r["value"]) for r in tables(out, "scores.csv")[runs["all"].name]
              if r["metric"] == "dice"}  # fmt: skip
    assert {(r.case, r.region): r.value for r in rows if r.arm == "t1n+t1c+t2w+t2f"} == tested
    summary = json.loads((runs["all"] / "subsets" / "summary.json").read_text())
    assert (summary["absence"], summary["cases"], len(summary["subsets"])) == ("uniform", 3, 15 * 4)


def test_worths_add_up_to_all_minus_none(out: Path) -> None:
    folder = out / "runs" / digests(out)["all"] / "subsets"
    rows = SubsetFolder(folder).read_scores()
    found = summarise_subsets(rows, NAMES)
    for region in ("WT", "TC", "ET"):
        of = {row.arm: [r.value for r in rows if r.region == region and r.arm == row.arm] for row in rows}
        due = np.mean(of["t1n+t1c+t2w+t2f"]) - np.mean(of["none"])
        assert sum(worth.value for worth in found.worth_of("dice", region)) == pytest.approx(due, abs=1e-12)
    stored = json.loads((folder / "summary.json").read_text())["shapley"]
    assert {row["modality"] for row in stored} == set(NAMES)


def test_the_command_tells_worst_worth_and_what_was_not_trained(out: Path, tmp_path: Path) -> None:
    runs = {arm: out / "runs" / digest for arm, digest in digests(out).items()}
    said = mrfusion("subsets", runs["all"])
    assert said.code == 0, said
    assert "worst of 15 subsets" in said.out
    assert "worth (Shapley)" in said.out
    assert "out of its training" not in said.out
    untrained = mrfusion("subsets", runs["never"], "--out", tmp_path / "again", "--device", "cpu")
    assert untrained.code == 0, untrained
    assert "out of its training" in untrained.out
    first, second = (
        SubsetFolder(place).table.read_bytes() for place in (runs["never"] / "subsets", tmp_path / "again")
    )
    assert first == second
    refused(mrfusion("subsets", runs["only t1c"], "--device", "cpu"), "reads t1c alone; there is nothing to leave out")
    refused(mrfusion("subsets", runs["all"], "--out", tmp_path), "expected a folder that does not exist yet")
    refused(mrfusion("subsets", tmp_path), "expected the folder of a finished run")


def test_predict_without_a_file_equals_the_subset(out: Path, phantom: Path, tmp_path: Path) -> None:
    """Trained for it: a prediction. Not trained for it: one message that says how to."""
    name = sorted(path.name for path in phantom.iterdir() if path.is_dir())[0]
    case = shutil.copytree(phantom / name, tmp_path / name, ignore=shutil.ignore_patterns("*t1c*", "*seg*"))
    run = out / "runs" / digests(out)["all"]
    said = mrfusion("predict", run, case, "--out", tmp_path / "found", "--device", "cpu")
    assert said.code == 0, said
    assert nib.load(tmp_path / "found" / f"{name}.nii.gz").shape == nib.load(case / f"{name}-t2f.nii.gz").shape
    other = out / "runs" / digests(out)["never"]
    refused(
        mrfusion("predict", other, case, "--out", tmp_path / "no", "--device", "cpu"),
        f"case {name}: t1c is absent, and the run's plan 'concat(t1c,t2f)' reads them all",
        "train for it, with 'absence: uniform'",
    )


def test_a_study_on_cases_that_lack_files(phantom: Path, tmp_path: Path) -> None:
    lacking = shutil.copytree(phantom, tmp_path / "phantom")
    first, second = sorted(lacking.glob("*/*-t2w.nii.gz"))[:2]
    first.unlink()
    second.unlink()
    refused(study_of(lacking, "plain")[0], "t2w", "may_lack: [images], and train for it with absence: uniform")
    allowed = STUDY.replace("layout: brats(year=2023)", "layout: brats(year=2023), options: {may_lack: [images]}")
    allowed = allowed.replace("folds: [0]\n", "folds: [0, 1]\n")
    untrained = allowed.replace("absence: uniform, ", "").replace("(fill=learned)", "")
    refused(study_of(lacking, "untrained", untrained)[0], "arm 'all': case", "t2w is absent", "'absence: uniform'")
    assert mrfusion("inspect", tmp_path / "untrained.yaml").code == 0
    said, place = study_of(lacking, "allowed", allowed)
    assert said.code == 0, said
    tested = {row["case"] for digest, rows in tables(place, "scores.csv").items() for row in rows}
    assert len(tested) == 6
    assert (place / "report.html").stat().st_size > 10_000


def test_classes_too(phantom: Path) -> None:
    """Both ways of scoring, and an answer without any image is one in two."""
    text = STUDY.partition("  never")[0].replace("brats(year=2023)", "table") + "task: classification\n"
    said, place = study_of(phantom, "classes", text)
    assert said.code == 0, said
    folder = place / "runs" / digests(place)["all"] / "subsets"
    rows = SubsetFolder(folder).read_scores()
    assert {row.value for row in rows if row.arm == "none"} == {0.5}
    found = summarise_subsets(rows, NAMES)
    assert (found.metrics, found.regions) == (("correct", "probability"), ("*",))
    for metric in found.metrics:
        total = sum(worth.value for worth in found.worth_of(metric, "*"))
        assert total == pytest.approx(found.of(metric, "*")[-1].mean - 0.5)
    assert "Accuracy of all for 15 subsets of its modalities" in (place / "report.html").read_text()
