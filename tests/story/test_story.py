"""The story: a phantom on disk, a study of it, its report, predictions; and what goes wrong is one message."""

import contextlib
import csv
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion import cli
from mrfusion.phantom.cohort import write_cohort

HERE = "in_process:InProcess"  # an executor by its address, as a user's own would be
STUDY = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 2}
network: unet(base=4,stages=1)
sampling: {per_case: 2}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu, threads: 1}
arms:
  concat: {}
  only t1c: {plan: only(t1c)}
"""


@dataclass
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


def mrfusion(*words: object) -> Said:
    """The program in this process: arguments in, texts and exit code out."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["mrfusion", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        sys.argv = before
    return Said(code, out.getvalue(), err.getvalue())


def refused(said: Said, *parts: str) -> None:
    """One message, exit code 2, no traceback."""
    assert said.code == 2, said
    assert "Traceback" not in said.err + said.out
    for part in parts:
        assert part in " ".join(said.err.split()), said.err


def tables(out: Path, name: str) -> dict[str, list[dict[str, str]]]:
    """Run's digest -> the rows of one of its tables."""
    found = {}
    for path in sorted((out / "runs").glob(f"*/{name}")):
        with path.open(newline="") as stream:
            found[path.parent.name] = list(csv.DictReader(stream))
    return found


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("story") / "phantom", cases=8, spacing_mm=6.0, workers=1)


@pytest.fixture(scope="module")
def spec(phantom: Path) -> Path:
    path = phantom.parent / "study.yaml"
    path.write_text(STUDY.replace("PHANTOM", str(phantom)))
    return path


@pytest.fixture(scope="module")
def told(spec: Path) -> Said:
    """The study, once, with the executor that users have."""
    return mrfusion("study", spec, "--out", spec.parent / "out", "--workers", 1)


@pytest.fixture(scope="module")
def out(told: Said, spec: Path) -> Path:
    assert told.code == 0, told
    return spec.parent / "out"


def changed(spec: Path, name: str, old: str, new: str) -> Path:
    text = spec.read_text()
    assert old in text
    path = spec.parent / name
    path.write_text(text.replace(old, new))
    return path


def test_a_study_leaves_a_report_and_says_where(told: Said, out: Path) -> None:
    assert (out / "report.html").stat().st_size > 10_000
    assert "report.html" in told.out
    assert "concat" in told.out
    assert "only t1c" in told.out
    names = {path.name for path in out.iterdir()}
    assert {"study.json", "cohort.json", "splits.json", "runs", "report.html"} <= names
    assert not [path for path in out.rglob("*") if path.name.endswith(".partial")]


def test_the_scores_are_complete(out: Path) -> None:
    """Every case is tested once per arm, every region of it has a Dice, and nothing is missing of a run."""
    scores = tables(out, "scores.csv")
    assert len(scores) == 4
    plan = json.loads((out / "study.json").read_text())["plan"]
    cases = {case["id"] for case in json.loads((out / "cohort.json").read_text())["cases"]}
    assert len(cases) == 8
    for arm in ("concat", "only t1c"):
        digests = [cell["digest"] for cell in plan if cell["arm"] == arm]
        rows = [row for digest in digests for row in scores[digest] if row["metric"] == "dice"]
        assert sorted((row["case"], row["region"]) for row in rows) == sorted(
            (c, r) for c in cases for r in ("ET", "TC", "WT")
        )
        assert all(0 <= float(row["value"]) <= 1 for row in rows)
    for digest in scores:
        names = {path.name for path in (out / "runs" / digest).iterdir()}
        assert {
            "spec.json",
            "history.csv",
            "scores.csv",
            "scores.json",
            "model.safetensors",
            "environment.json",
        } <= names
        assert not {"last.pt", "previous.pt"} & names


def test_test_patients_are_never_trained_on(out: Path) -> None:
    splits = json.loads((out / "splits.json").read_text())
    for fold in splits["folds"] if isinstance(splits, dict) else splits:
        assert not set(fold["train"]) & set(fold["test"])
        assert not set(fold["val"]) & set(fold["test"])
        assert not set(fold["train"]) & set(fold["val"])


def test_predictions_have_the_geometry_of_their_case(out: Path, phantom: Path) -> None:
    files = sorted((out / "runs").glob("*/predictions/*.nii.gz"))
    assert len(files) == 16
    for path in files[:4]:
        name = path.name.removesuffix(".nii.gz")
        written, source = nib.load(path), nib.load(phantom / name / f"{name}-seg.nii.gz")
        assert written.shape == source.shape
        assert np.array_equal(written.affine, source.affine)
        assert set(np.unique(np.asarray(written.dataobj))) <= {0, 1, 2, 3}


def test_the_same_command_again_runs_nothing(out: Path, spec: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*") if path.is_file()}
    again = mrfusion("study", spec, "--out", out, "--executor", HERE)
    assert again.code == 0, again
    assert "4 runs planned, 4 done" in again.err
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*") if path.is_file()} == before


def test_a_run_that_is_lost_is_run_again_to_the_same_numbers(out: Path, spec: Path) -> None:
    digest = min(tables(out, "scores.csv"))
    shutil.copytree(out, spec.parent / "copy", ignore=shutil.ignore_patterns(digest))
    again = mrfusion("study", spec, "--out", spec.parent / "copy", "--executor", HERE)
    assert again.code == 0, again
    assert "4 runs planned, 3 done" in again.err
    first, second = tables(out, "scores.csv")[digest], tables(spec.parent / "copy", "scores.csv")[digest]
    key = [(row["case"], row["region"], row["metric"]) for row in first]
    assert key == [(row["case"], row["region"], row["metric"]) for row in second]
    found = [float(row["value"]) for row in second]
    assert found == pytest.approx([float(row["value"]) for row in first], abs=1e-3, nan_ok=True)


def test_a_dry_run_runs_nothing(spec: Path, out: Path) -> None:
    dry = spec.parent / "dry"
    said = mrfusion("study", spec, "--out", dry, "--cache", out / "cache", "--executor", HERE, "--dry-run")
    assert said.code == 0, said
    assert "4 runs" in said.out
    assert "concat, fold 0" in said.out
    assert not dry.exists(), "nothing is written"
    assert not [path for path in spec.parent.iterdir() if path.name.startswith(".mrfusion")]


def test_predict_needs_no_label_and_only_the_modalities_of_the_plan(out: Path, phantom: Path, tmp_path: Path) -> None:
    plan = json.loads((out / "study.json").read_text())["plan"]
    digest = next(cell["digest"] for cell in plan if cell["arm"] == "only t1c")
    name = sorted(path.name for path in phantom.iterdir() if path.is_dir())[0]
    case = tmp_path / name
    case.mkdir()
    shutil.copy(phantom / name / f"{name}-t1c.nii.gz", case)
    said = mrfusion("predict", out / "runs" / digest, case, "--out", tmp_path / "found", "--device", "cpu")
    assert said.code == 0, said
    written, source = nib.load(tmp_path / "found" / f"{name}.nii.gz"), nib.load(case / f"{name}-t1c.nii.gz")
    assert written.shape == source.shape
    assert np.array_equal(written.affine, source.affine)
    assert f"{name}.nii.gz" in said.out
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == [f"{name}.nii.gz"], "the cache is gone"
    kept = out / "runs" / digest / "predictions" / f"{name}.nii.gz"
    if kept.exists():
        assert np.array_equal(np.asarray(written.dataobj), np.asarray(nib.load(kept).dataobj))
    other = next(cell["digest"] for cell in plan if cell["arm"] == "concat")
    refused(
        mrfusion("predict", out / "runs" / other, case, "--out", tmp_path / "other"), "t1n, t2w, t2f are absent", name
    )


def test_a_report_is_rebuilt(out: Path, tmp_path: Path) -> None:
    said = mrfusion("report", out, "--out", tmp_path / "again.html")
    assert said.code == 0, said
    assert (tmp_path / "again.html").stat().st_size > 10_000
    refused(mrfusion("report", tmp_path), "study.json")


def test_one_run_by_itself(spec: Path) -> None:
    refused(mrfusion("run", spec, "--out", spec.parent / "x"), "run it with 'mrfusion study'")
    assert not (spec.parent / "x").exists()


def test_classification_from_the_phantoms_table(phantom: Path) -> None:
    path, out = phantom.parent / "classes.yaml", phantom.parent / "classes"
    base = STUDY.split("arms:")[0].replace("brats(year=2023)", "table").replace("PHANTOM", str(phantom))
    path.write_text(base + "task: classification\nfolds: [0]\n")
    said = mrfusion("study", path, "--out", out, "--executor", HERE)
    assert said.code == 0, said
    (rows,) = tables(out, "probabilities.csv").values()
    assert len(rows) == 4
    for row in rows:
        assert float(row["low"]) + float(row["high"]) == pytest.approx(1, abs=1e-5)
    (scores,) = tables(out, "scores.csv").values()
    assert "accuracy" in {row["metric"] for row in scores}
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("budget:", "budgte:", ["no key is called 'budgte'; did you mean 'budget'"]),
        ("epochs: 1", "epoch: 1", ["budget.epoch", "did you mean 'epochs'"]),
        ("plan: only(t1c)", "plan: 'separate[maen]'", ["did you mean 'mean'"]),
        ("plan: only(t1c)", "plan: separate[mean]", ["text with brackets stands in quotes"]),
        ("plan: only(t1c)", "plan: only(flair)", ["only t1c", "only(flair)", "flair"]),
        ("unet(base=4,stages=1)", "unnet", ["no backbones choice is called 'unnet'; did you mean 'unet'"]),
        ("unet(base=4,stages=1)", "unet(bas=4)", ["did you mean 'base'"]),
        ("layout: brats", "layout: bratz", ["no layouts choice is called 'bratz'; did you mean 'brats'"]),
        ("path: ", "path: /nowhere", ["expected data at /nowhere"]),
        ("folds: 2", "folds: 50", ["50"]),
        ("arms:", "task: classification\narms:", ["needs a class for each case"]),
    ],
    ids=[
        "key",
        "inner key",
        "fusion",
        "brackets",
        "modality",
        "network",
        "argument",
        "layout",
        "data",
        "folds",
        "task",
    ],
)
def test_a_specification_that_cannot_be_is_one_message(
    spec: Path, tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    wrong = changed(spec, "wrong.yaml", old, new)
    refused(mrfusion("study", wrong, "--out", tmp_path / "out", "--executor", HERE), *parts)
    assert not (tmp_path / "out" / "runs").exists()


def test_places_that_cannot_be_written_are_one_message(spec: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(
        mrfusion("study", spec, "--out", tmp_path / "file" / "x", "--cache", out / "cache", "--executor", HERE),
        "cannot write",
    )
    refused(mrfusion("report", out, "--out", tmp_path / "file" / "x.html"), "cannot write")
    refused(mrfusion("phantom", tmp_path / "file" / "p", "--cases", 1, "--spacing", 6), "cannot write")


def test_a_full_disk_is_one_message(spec: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the disk is full while a run writes its weights: nothing half is left, and the same command goes on."""

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        said = mrfusion("study", spec, "--out", tmp_path / "out", "--cache", out / "cache", "--executor", HERE)
    refused(said, "No space left on device")
    assert not [path for path in (tmp_path / "out" / "runs").iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["study", "/nowhere.yaml", "--out", "x"], ["expected a YAML file at /nowhere.yaml"]),
        (["predict", "/nowhere", "/nowhere", "--out", "x"], ["expected the folder of a finished run at /nowhere"]),
        (["list", "fuson"], ["no family and no choice is called 'fuson'; did you mean 'fusion'"]),
        (["phantom", "x", "--control", "redundent"], ["redundant"]),
        (["report", "/nowhere"], ["/nowhere"]),
    ],
    ids=lambda value: str(value[0]),
)
def test_words_that_lead_nowhere(
    words: list[str], parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(mrfusion(*words), *parts)


def test_unknown_commands_and_options_are_refused() -> None:
    for words in (["stduy"], ["study"], ["study", "x", "--nothing"], ["predict", "x", "y"]):
        assert mrfusion(*words).code == 2


def test_list() -> None:
    said = mrfusion("list", "fusions")
    assert said.code == 0
    assert "mean" in said.out
    assert "brats" not in said.out


def test_predictions_given_back_as_folders_get_the_same_numbers_and_the_same_verdicts(
    phantom: Path, out: Path, tmp_path: Path
) -> None:
    """What is scored is what is written: `compare` on a study's own predictions repeats its report."""
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in phantom.rglob("*-seg.nii.gz"):
        shutil.copy(path, labels)
    plan = json.loads((out / "study.json").read_text())["plan"]
    words: list[object] = ["compare", "--labels", labels, "--rules", "brats2023-GLI", "--reference", "concat"]
    for arm in ("concat", "only t1c"):
        folders = [out / "runs" / cell["digest"] / "predictions" for cell in plan if cell["arm"] == arm]
        words += ["--arm", f"{arm}={','.join(map(str, folders))}"]
    words += ["--metrics", "dice,volume_mm3,target_volume_mm3", "--patients", r"BraTS-GLI-\d+", "--out", tmp_path / "o"]
    said = mrfusion(*words)
    assert said.code == 0, said
    ours, given = (json.loads((place / "report.json").read_text()) for place in (out, tmp_path / "o"))
    assert given["comparisons"] == ours["comparisons"]
    assert "training terms and seeds not known" in given["verdict"][0]
    arm_of = {cell["digest"]: cell["arm"] for cell in plan}
    runs = [(arm_of[digest], row) for digest, rows in tables(out, "scores.csv").items() for row in rows]
    written = {(arm, r["case"], r["region"], r["metric"]): r["value"] for arm, r in runs}
    with (tmp_path / "o" / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * 8 * 3 * 3
    assert not [r for r in rows if written[r["arm"], r["case"], r["region"], r["metric"]] != r["value"]]
