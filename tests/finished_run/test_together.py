"""New cases: folds and seeds of an arm answer together, mirrors, probabilities, and what is said beforehand."""

import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion import hardware
from mrfusion.command.predict import predict_cases, runs_in
from mrfusion.data.sample import LoadedCase
from mrfusion.errors import CaseError, InputError, Note, SpecError
from mrfusion.finished_run.load import FinishedRun
from mrfusion.finished_run.predict import Asked, predict
from mrfusion.finished_run.together import Together
from mrfusion.losses._base import Output
from mrfusion.model.ensemble import Ensemble
from mrfusion.spec import Machine
from mrfusion.training.assemble import load_network
from mrfusion.training.predict import Predictor
from tiny import cpu

# Networks of one epoch answer regions that contradict each other; the notes about it are not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*regions contradict each other")

STUDY = """
data: {sources: [{path: PHANTOM, layout: brats(year=2023)}], split: {folds: 2}}
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
absence: uniform
machine: {device: cpu}
seeds: [0, 1]
arms:
  regions: {}
  labels: {head: labels, augmentation: light(flip=false)}
"""
ON_CPU = Machine(device="cpu")


def first_case(phantom: Path) -> Path:
    return sorted(path for path in phantom.iterdir() if path.is_dir())[0]


def random_case(run: FinishedRun) -> LoadedCase:
    images = np.random.default_rng(0).normal(size=(3, 4, 16, 16)).astype(np.float32)
    assert len(run.modalities) == 4
    return LoadedCase("a", images, np.zeros((3, 16, 16), np.uint8), (True,) * 4, -1, (0, 3))


@pytest.mark.parametrize("arm", ["regions", "labels"])
def test_they_answer_by_the_mean_of_their_probabilities(study: Path, arm: str) -> None:
    """As the networks do that sit in one model."""
    runs = runs_in(study, arm, ())
    assert len(runs) == 4, "two folds with two seeds"
    together, case = Together(runs, cpu()), random_case(runs[0])
    networks = [load_network(run.spec, run.outline, run.folder.weights) for run in runs]
    joined = Ensemble(networks, exclusive=arm != "regions")
    other = Predictor(joined, runs[0].sample_size, torch.device("cpu"), cpu().autocast)
    found, expected = together.logits(case), other.logits(case)
    of = (lambda x: x.softmax(0)) if arm == "labels" else torch.sigmoid
    torch.testing.assert_close(of(found), of(expected), atol=1e-5, rtol=1e-4)


def test_a_study_s_arm_predicts_a_new_case_with_maps_and_mirrors(study: Path, phantom: Path, tmp_path: Path) -> None:
    case = first_case(phantom)
    runs = runs_in(study, "regions", ())
    asked = Asked(mirror=True, probabilities=True)
    predict_cases(runs, [case], out=tmp_path, asked=asked, layout=None, machine=ON_CPU)
    source = nib.load(case / f"{case.name}-t1c.nii.gz")
    labels = nib.load(tmp_path / f"{case.name}.nii.gz")
    maps = {name: nib.load(tmp_path / "probabilities" / f"{case.name}_{name}.nii.gz") for name in ("WT", "TC", "ET")}
    for image in (labels, *maps.values()):
        assert image.shape == source.shape
        assert np.array_equal(image.affine, source.affine)
    values = {name: np.asarray(image.dataobj) for name, image in maps.items()}
    assert all(array.dtype == np.float32 and 0 <= array.min() <= array.max() <= 1 for array in values.values())
    inside = np.asarray(source.dataobj) > 0
    painted = np.asarray(labels.dataobj) > 0
    assert np.array_equal(painted, np.any([array > 0.5 for array in values.values()], axis=0))
    assert not values["WT"][~inside].all()


def test_cases_that_lie_otherwise_than_the_run_s_own_need_the_layout(study: Path, tmp_path: Path) -> None:
    """And where it is said, only what it lacks is told."""
    run = runs_in(study, "regions", ())[0]
    (tmp_path / "cases").mkdir()
    with pytest.raises(InputError, match=r"the run's own cases lie as brats\(year=2023\); .* say with --layout how"):
        predict_cases([run], [tmp_path / "cases"], out=tmp_path, asked=Asked(), layout=None, machine=ON_CPU)
    with pytest.raises(InputError, match=r"participants.csv, found: No such file or directory$"):
        predict_cases([run], [tmp_path / "cases"], out=tmp_path, asked=Asked(), layout="table", machine=ON_CPU)


def test_labels_exclude_each_other_so_their_regions_are_sums(study: Path) -> None:
    (run, *_) = runs_in(study, "labels", ())
    decision = Together([run], cpu()).decision
    logits = torch.randn(1, 4, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    found = decision.probabilities(logits)[0]
    share = logits.softmax(1)[0]
    for region, values in zip(run.outline.regions, found, strict=True):
        torch.testing.assert_close(values, sum(share[label] for label in region.labels))


class Slope(nn.Module):
    """Logits that depend on the place alone: mirrored and put back, they even out."""

    def forward(self, images: Tensor, present: Tensor) -> Output:
        grid = torch.arange(float(images.shape[-1])).expand(len(images), 1, *images.shape[2:])
        return Output(grid + images[:, :1])


@pytest.mark.parametrize("size", [(1, 8, 8), (4, 8, 8)])
def test_mirrors_are_averaged_and_put_back(size: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).normal(size=(4, 2, 8, 8)).astype(np.float32)
    case = LoadedCase("a", images, np.zeros((4, 8, 8), np.uint8), (True, True), -1, (0, 4))
    answering = Predictor(Slope(), size, torch.device("cpu"), cpu().autocast, mirror=True)
    torch.testing.assert_close(answering.logits(case)[0], torch.from_numpy(images[:, 0]) + 3.5, atol=1e-5, rtol=0)


def test_a_note_says_what_a_case_lacks(study: Path, phantom: Path, tmp_path: Path) -> None:
    case, lacking = first_case(phantom), tmp_path / "in" / first_case(phantom).name
    lacking.mkdir(parents=True)
    for path in case.iterdir():
        if not path.name.endswith(("t2f.nii.gz", "seg.nii.gz")):
            os.link(path, lacking / path.name)
    run = runs_in(study, "regions", ())[0]
    with pytest.warns(Note, match=rf"case {case.name}: t2f is absent; it is predicted from t1n, t1c, t2w"):
        predict(run, lacking, out=tmp_path / "out", machine=ON_CPU)


def test_memory_is_said_before_it_is_taken(
    study: Path, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    run = runs_in(study, "regions", ())[0]
    predict(run, first_case(phantom), out=tmp_path, machine=ON_CPU, progress=lambda _, __, what: said.append(what))
    assert said[0].endswith("GiB of memory")
    monkeypatch.setattr(hardware, "free_mib", lambda: 0.01)
    with pytest.raises(CaseError, match=r"would take about .* GiB, and 0\.0 are free"):
        predict(run, first_case(phantom), out=tmp_path / "more", machine=ON_CPU)
    assert not list((tmp_path / "more").glob("*"))


def test_what_cannot_be_asked(study: Path, phantom: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no arm 'region'; did you mean 'regions'"):
        runs_in(study, "region", ())
    with pytest.raises(InputError, match="say --arm"):
        runs_in(study, None, ())
    case = first_case(phantom)
    with pytest.raises(SpecError, match="averaged over mirrors, and augmentation 'light\\(flip=false\\)' shows"):
        predict(runs_in(study, "labels", ()), case, out=tmp_path, asked=Asked(mirror=True), machine=ON_CPU)
    regions, labels = runs_in(study, "regions", ())[0], runs_in(study, "labels", ())[0]
    with pytest.raises(SpecError, match="differ in head: regions and labels"):
        Together([regions, labels], cpu())
    with pytest.raises(SpecError, match=r"differ in sampling\.slices"):
        other = regions.spec.changed({"sampling": {"slices": [0.2, 0.6]}})
        Together([regions, replace(regions, spec=other)], cpu())


def test_memory_that_is_free_is_what_the_system_says() -> None:
    assert 0 < hardware.free_mib() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
