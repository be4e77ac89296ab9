"""Runs taken away: the files alone, without mrfusion, give the label maps that mrfusion gives."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from mrfusion.cli import app
from mrfusion.command.predict import predict_cases, runs_in
from mrfusion.errors import OutputError, SpecError
from mrfusion.finished_run.export import export_runs
from mrfusion.finished_run.predict import Asked
from mrfusion.spec import Machine

pytestmark = pytest.mark.filterwarnings("ignore:.*regions contradict each other", "ignore:case .* absent")
NAMES = ("t1n", "t1c", "t2w", "t2f")
STUDY = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 2}
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
absence: uniform
machine: {device: cpu}
seeds: [0, 1]
arms:
  slices: {plan: 'separate[energy]', sampling: {slices: [0.2, 0.9]}}
  volumes: {plan: 'separate[moments]', head: labels, sampling: {dimensions: 3, size: [8, 16, 16]},
    data: {preparation: {spacing_mm: [7, 7, 9], interpolation: cubic}}}
  blended: {plan: concat, data: {preparation: {spacing_mm: [7, 7, 9]}}}
"""


@pytest.fixture(scope="module")
def cases(phantom: Path) -> list[Path]:
    """One as it is, and one that lacks two of its images and is stored in another orientation."""
    whole, other = sorted(path for path in phantom.iterdir() if path.is_dir())[:2]
    lacking = phantom.parent / "lacking" / other.name
    lacking.mkdir(parents=True)
    for name in ("t1c", "t2f"):
        image = nib.load(other / f"{other.name}-{name}.nii.gz")
        turned = image.as_reoriented(np.array([[2, -1], [0, 1], [1, -1]]))
        nib.save(turned, lacking / f"{other.name}-{name}.nii.gz")
    return [whole, lacking]


def expected_maps(study: Path, arm: str, cases: list[Path], out: Path) -> list[Path]:
    runs = runs_in(study, arm, ())
    machine = Machine(device="cpu")
    predict_cases(runs, cases, out=out, asked=Asked(), layout=None, machine=machine)
    return [out / f"{case.name}.nii.gz" for case in cases]


def files_of(case: Path) -> dict[str, str]:
    found = {name: case / f"{case.name}-{name}.nii.gz" for name in NAMES}
    return {name: str(path) for name, path in found.items() if path.is_file()}


def alone(*words: str, at: Path) -> None:
    """A program run where there is no mrfusion to import."""
    hidden = at / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['mrfusion'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(at)}
    done = subprocess.run(
        [sys.executable, *words], cwd=at, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def same(found: Path, expected: Path) -> None:
    one, other = nib.load(found), nib.load(expected)
    assert np.array_equal(one.affine, other.affine)
    assert one.get_data_dtype() == other.get_data_dtype()
    assert np.array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
    assert np.asarray(one.dataobj).any(), "an empty map would show nothing"


@pytest.mark.parametrize("arm", ["slices", "volumes", "blended"])
def test_the_files_alone_give_the_same_label_maps(study: Path, cases: list[Path], arm: str, tmp_path: Path) -> None:
    """All folds and seeds of an arm, as TorchScript: in slices of energies, in windows, resampled in two ways."""
    expected = expected_maps(study, arm, cases, tmp_path / "expected")
    out = export_runs(runs_in(study, arm, ()), tmp_path / "taken", "torchscript")
    for case, path in zip(cases, expected, strict=True):
        words = [f"{name}={file}" for name, file in files_of(case).items()]
        alone("case.py", "--out", str(tmp_path / "found"), "--name", case.name, *words, at=out)
        same(tmp_path / "found" / path.name, path)


@pytest.mark.skipif(find_spec("fire") is None, reason="MONAI's command needs fire")
def test_a_bundle_runs_by_monai_s_own_command(study: Path, cases: list[Path], tmp_path: Path) -> None:
    expected = expected_maps(study, "volumes", cases, tmp_path / "expected")
    out = export_runs(runs_in(study, "volumes", ()), tmp_path / "bundle", "monai-bundle")
    entries = [{"id": case.name, "image": [files_of(case).get(name) for name in NAMES]} for case in cases]
    (tmp_path / "list.json").write_text(json.dumps({"modality": dict(enumerate(NAMES)), "testing": entries}))
    command = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    alone(*command, "--datalist", str(tmp_path / "list.json"), "--output_dir", str(tmp_path / "found"), at=out)
    for path in expected:
        same(tmp_path / "found" / path.name, path)


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_onnx_gives_the_same_label_maps_with_the_values_that_are_asked_for(
    study: Path, cases: list[Path], tmp_path: Path
) -> None:
    run = runs_in(study, "blended", ())[0]
    predict_cases([run], cases, out=tmp_path / "expected", asked=Asked(), layout=None, machine=Machine(device="cpu"))
    words = ["export", str(run.folder), str(tmp_path / "taken"), "--to", "onnx", "--values", "brats2021"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "model.onnx" in done.output
    for case in cases:
        files = [f"{name}={file}" for name, file in files_of(case).items()]
        alone("case.py", "--out", str(tmp_path / "found"), "--name", case.name, *files, at=tmp_path / "taken")
        found, expected = (nib.load(tmp_path / where / f"{case.name}.nii.gz") for where in ("found", "expected"))
        old, new = (np.asarray(image.dataobj) for image in (expected, found))
        assert old.any()
        assert np.array_equal(new, np.where(old == 3, 4, old))


def test_the_model_card_says_what_is_known_and_names_what_is_not(study: Path, tmp_path: Path) -> None:
    run = runs_in(study, "slices", ())[0]
    card = (export_runs([run], tmp_path / "taken", "torchscript") / "README.md").read_text()
    assert f"| `{run.folder.digest}` | {run.spec.fold} | {run.spec.seed} | 2 | 1 | 3 |" in card
    dice = [score.value for score in run.folder.read_scores() if (score.region, score.metric) == ("WT", "dice")]
    assert f"| WT | dice | {np.mean(dice):.4g} | {np.std(dice, ddof=1):.4g} | 3 |" in card
    for field in ("Licence of these weights: TO FILL IN", "Authors and contact: TO FILL IN", "May be absent: t1n"):
        assert field in card
    assert not [name for name in os.listdir(study.parent / "phantom") if name in card], "no case is named"
    assert str(study.parent) not in card


def test_what_cannot_be_taken_away_is_one_message_and_nothing_is_written(study: Path, tmp_path: Path) -> None:
    runs, taken = runs_in(study, "slices", ()), tmp_path / "taken"
    with pytest.raises(SpecError, match="no exports choice is called 'onyx'; did you mean 'onnx'"):
        export_runs(runs, taken, "onyx")
    with pytest.raises(SpecError, match="only runs of one arm can answer together"):
        export_runs([runs[0], runs_in(study, "volumes", ())[0]], taken, "torchscript")
    assert not taken.exists()
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="expected a folder that is new or empty"):
        export_runs(runs, taken, "torchscript")
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]
