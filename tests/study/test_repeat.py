"""An arm that is an ensemble: several trainings of one network answer together, on each fold and seed."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from in_process import InProcess
from mrfusion.command.study import show_study
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import load_case
from mrfusion.data.read import read_cohort
from mrfusion.errors import SpecError
from mrfusion.finished_run.load import read_run
from mrfusion.finished_run.together import Together
from mrfusion.model.ensemble import Ensemble
from mrfusion.phantom.cohort import write_cohort
from mrfusion.study.design import read_study
from mrfusion.study.load import load_study
from mrfusion.training.assemble import load_network
from tiny import cpu

STUDY = """
data: {sources: [{path: PHANTOM, layout: brats(year=2023)}], split: {folds: 1, test_share: 0.4}}
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu}
arms:
  alone: {}
  together: {ensemble: repeat(trainings=2)}
"""


def test_an_ensemble_of_trainings_is_an_arm(tmp_path: Path) -> None:
    phantom = write_cohort(tmp_path / "phantom", cases=6, spacing_mm=8.0, workers=1)
    file, out = tmp_path / "study.yaml", tmp_path / "out"
    file.write_text(STUDY.replace("PHANTOM", str(phantom)))
    study = read_study(file)
    show_study(study, InProcess(), out=out, cache=None)
    (answer,) = load_study(out).runs_of("together")
    assert answer.state == "done"
    run = read_run(answer.folder)
    assert len(run.spec.members) == 2
    assert run.spec.origin is not None
    parents = [read_run(run.folder.beside(digest)) for digest in run.spec.origin.parents]
    assert len({parent.spec.seed for parent in parents}) == 2
    network = load_network(run.spec, run.outline, run.folder.weights)
    assert isinstance(network, Ensemble)
    cohort = read_cohort(study.base.data.sources)
    for path in sorted(run.folder.predictions.glob("*.nii.gz")):
        case = cohort.case(path.name.removesuffix(".nii.gz"))
        prepared = prepare_cohort(cohort, run.spec.data.preparation, tmp_path / "cache")[case.id]
        loaded = load_case(case, cohort, prepared, run.modalities, None)
        masks = torch.sigmoid(Together(parents, cpu()).logits(loaded)) > 0.5
        painted = np.asarray(nib.load(path).dataobj) > 0
        # by voxels whose mean is one half to the last bit, of about a thousand, the two ways of summing may differ
        assert abs(int(painted.sum()) - int(masks.any(0).sum())) <= 2, "the mean of what the two trainings say"
    assert "together" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        ("{search: repeat(trainings=2)}", "chooses nothing; write it as ensemble"),
        ("{ensemble: repeat(trainings=1)}", "a whole number from 2 to 50 for trainings, found 1"),
    ],
)
def test_what_no_ensemble_is(arm: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("{ensemble: repeat(trainings=2)}", arm))
    with pytest.raises(SpecError, match=says):
        read_study(file)
