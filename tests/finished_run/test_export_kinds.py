"""What else is taken away: classes, mirrors of slices that have to be padded, networks of MONAI's and of anyone's."""

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from in_process import InProcess
from mrfusion.command.predict import predict_cases, runs_in
from mrfusion.command.study import show_study
from mrfusion.errors import SpecError
from mrfusion.finished_run.export import export_runs
from mrfusion.finished_run.predict import Asked
from mrfusion.spec import Machine
from mrfusion.study.design import read_study

pytestmark = pytest.mark.filterwarnings("ignore:.*regions contradict each other", "ignore:case .* absent")
NAMES = ("t1c", "t2f")
SHARED = """
  split: {folds: 1, test_share: 0.25, val_share: 0.25}
  modalities: [t1c, t2f]
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu}
"""
STUDY = f"""
data:
  sources: [{{path: PHANTOM, layout: brats(year=2023)}}]{SHARED}
plan: concat
arms:
  mirrored: {{network: "unet(base=4,stages=4,norm=instance)", mirror: true}}
  of MONAI: {{network: "monai(BasicUNet,features=[4,4,8,8,8,4],norm=batch)"}}
  its own: {{network: "test_export_kinds:Own"}}
"""
CLASSES = f"""
task: classification
network: unet(base=4,stages=3,norm=instance)
mirror: true
data:
  sources: [{{path: PHANTOM, layout: table}}]{SHARED}
arms:
  slices: {{plan: concat}}
  volumes: {{plan: separate>mean, sampling: {{dimensions: 3, size: [8, 16, 16]}}}}
"""
BUNDLE = pytest.param(
    "monai-bundle", marks=pytest.mark.skipif(not find_spec("fire"), reason="MONAI's command needs it")
)
FORMS = [
    BUNDLE,
    "torchscript",
    pytest.param("onnx", marks=pytest.mark.skipif(not find_spec("onnxruntime"), reason="absent")),
]


class Own(nn.Module):
    """Two convolutions that anybody could have written."""

    multiple = 2

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__()
        kind = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        self.layers = nn.Sequential(kind(in_channels, 6, 3, padding=1), nn.ReLU(), kind(6, out_channels, 1))

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(images))


@pytest.fixture(scope="module")
def classified(phantom: Path) -> Path:
    file, out = phantom.parent / "classes.yaml", phantom.parent / "classes"
    file.write_text(CLASSES.replace("PHANTOM", str(phantom)))
    show_study(read_study(file), InProcess(), out=out, cache=None)
    return out


def alone(case: Path, out: Path, at: Path) -> None:
    """``case.py``, or MONAI's own command for a bundle, where neither mrfusion nor this file can be imported."""
    (at / "sitecustomize.py").write_text("import sys\nsys.modules['mrfusion'] = None\n")
    files = {name: str(case / f"{case.name}-{name}.nii.gz") for name in NAMES}
    words = ["case.py", "--out", str(out), "--name", case.name, *(f"{name}={file}" for name, file in files.items())]
    if (at / "configs").is_dir():
        entry = {"id": case.name, "image": list(files.values())}
        (at / "list.json").write_text(json.dumps({"modality": dict(enumerate(NAMES)), "testing": [entry]}))
        words = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
        words += ["--datalist", "list.json", "--output_dir", str(out)]
    done = subprocess.run(
        [sys.executable, *words], cwd=at, env={**os.environ, "PYTHONPATH": str(at)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("arm", ["mirrored", "of MONAI", "its own"])
def test_the_same_label_map(study: Path, phantom: Path, arm: str, form: str, tmp_path: Path) -> None:
    case = min(path for path in phantom.iterdir() if path.is_dir())
    runs = runs_in(study, arm, ("test_export_kinds",))
    predict_cases(runs, [case], out=tmp_path, asked=Asked(), layout=None, machine=Machine(device="cpu"))
    alone(case, tmp_path / "found", export_runs(runs, tmp_path / "taken", form))
    expected, found = (nib.load(place / f"{case.name}.nii.gz") for place in (tmp_path, tmp_path / "found"))
    assert np.array_equal(np.asarray(found.dataobj), np.asarray(expected.dataobj))
    assert np.asarray(expected.dataobj).any(), "an empty map would show nothing"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("arm", ["slices", "volumes"])
def test_the_same_probabilities(classified: Path, phantom: Path, arm: str, form: str, tmp_path: Path) -> None:
    case = min(path for path in phantom.iterdir() if path.is_dir())
    runs = runs_in(classified, arm, ())
    predict_cases(runs, [phantom], out=tmp_path, asked=Asked(), layout=None, machine=Machine(device="cpu"))
    with (tmp_path / "probabilities.csv").open() as stream:
        [row] = [row for row in csv.DictReader(stream) if row["case"] == case.name]
    alone(case, tmp_path / "found", export_runs(runs, tmp_path / "taken", form))
    [written] = (tmp_path / "found").rglob("*.json")
    found = json.loads(written.read_text())
    assert len(found) == 2
    for name, value in found.items():
        assert value == pytest.approx(float(row[name]), abs=1e-5)


def test_code_of_a_run_is_refused_unless_it_is_trusted(study: Path) -> None:
    with pytest.raises(SpecError, match="--trust test_export_kinds"):
        runs_in(study, "its own", ())
