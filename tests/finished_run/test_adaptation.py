"""A run with energies meets other patients: adapted, what is frozen stays to the bit; as quality control."""

import contextlib
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from in_process import InProcess
from mrfusion import families
from mrfusion.command.adapt import adapt_run, study_of
from mrfusion.command.quality import check_quality
from mrfusion.command.study import show_study
from mrfusion.data.absence import check_files
from mrfusion.errors import InputError, Note, OutputError, SpecError
from mrfusion.files import read_json, read_rows, write_rows
from mrfusion.finished_run.adapt import Asked, adaptation_of, keep_parent, moved, with_equal_time
from mrfusion.finished_run.load import FinishedRun, read_run
from mrfusion.finished_run.predict import predict
from mrfusion.finished_run.quality import FEWEST, own_energies
from mrfusion.finished_run.subsets import data_of, write_subsets
from mrfusion.model.network import build_network
from mrfusion.phantom.cohort import write_cohort
from mrfusion.plan import parse_plan
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.subsets import SubsetFolder
from mrfusion.spec import Machine, Source
from mrfusion.study.design import read_single
from mrfusion.study.load import load_study
from mrfusion.training.optimiser import count_trained
from tiny import fitted, run_spec, silent, training_of, weights_of

LAYOUT = "brats(year=2023)"
RUN = """
data: {sources: [{path: PHANTOM, layout: brats(year=2023)}], split: {folds: 1, test_share: 0.65}}
plan: separate[energy(width=8,steps=2)]
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
losses: [dice_ce, energy, alignment]
balancer: static(energy=0.1,alignment=0.1)
machine: {device: cpu}
"""
ENERGY = r"fusions\.\d+\.(alpha|beta|gamma|theta|tau|prior|bias|out)"
HEAD = r"heads\.\d+\.(heads\.0|head)\.(weight|bias)"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("adapt") / "phantom", cases=8, spacing_mm=8.0, workers=1)


@pytest.fixture(scope="module")
def run(phantom: Path) -> FinishedRun:
    file = phantom.parent / "run.yaml"
    file.write_text(RUN.replace("PHANTOM", str(phantom)))
    show_study(read_single(file), InProcess(), out=phantom.parent / "out", cache=None)
    return read_run(next((phantom.parent / "out" / "runs").iterdir()))


@pytest.fixture(scope="module")
def two(phantom: Path) -> Path:
    """The same patients with two modalities."""
    for path in phantom.rglob("*.nii.gz"):
        if path.name.endswith(("t1c.nii.gz", "t2f.nii.gz", "seg.nii.gz")):
            place = phantom.parent / "two" / path.parent.name / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
    return phantom.parent / "two"


def differing(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("changes", [{}, {"task": "classification"}, {"head": "labels"},
                                     {"network": "residual(base=4,stages=2)"}],
                         ids=["regions", "classes", "labels", "deep supervision"])  # fmt: skip
def test_only_energies_and_the_last_layer_learn(changes: dict[str, Any], tmp_path: Path) -> None:
    spec = run_spec(plan="separate[energy(width=8)]", schedule="adapt", budget={"epochs": 1}, **changes)
    training = training_of(spec, tmp_path)
    before = weights_of(training)
    with torch.no_grad():  # O = 0 gives tau, the prior and the strengths no gradient at first
        for name, value in training.network.named_parameters():
            if name.endswith(".out"):
                before[name] = value.normal_().clone()
    fitted(spec, training)
    names = differing(before, weights_of(training))
    assert all(re.fullmatch(f"{ENERGY}|{HEAD}", name) for name in names), names
    assert {name.split(".")[-1] for name in names if name.startswith("fusions.0")} >= {"out", "tau", "prior", "bias"}
    assert any(re.fullmatch(HEAD, name) for name in names)
    expected = sum(v.numel() for n, v in before.items() if re.fullmatch(f"{ENERGY}|{HEAD}", n))
    assert count_trained(phases_of(training.network, "dice_ce")) == expected


def phases_of(network: nn.Module, loss: str) -> Any:
    return families.load("schedules", "adapt")().phases(network, (loss,))


def test_a_plan_without_energies_has_nothing_to_adapt() -> None:
    backbone = families.load("backbones", "unet(base=4,stages=1)")(2)
    network = build_network(parse_plan("separate[mean]"), ("a", "b"), backbone, task="segmentation", out_channels=1)
    with pytest.raises(SpecError, match="parameters of energies, of which the plan has none"):
        phases_of(network, "dice_ce")


@pytest.mark.filterwarnings("ignore:.*regions contradict each other")  # a network of two epochs
def test_from_four_modalities_to_two(
    run: FinishedRun, two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapt_run(run, two, InProcess(), Asked(epochs=2), out=tmp_path, layout=LAYOUT)
    said = " ".join(capsys.readouterr().out.split())
    assert "note: t1n is absent in all cases note: t2w is absent in all cases" in said
    study = load_study(tmp_path)
    assert [arm.name for arm in study.arms] == ["as it is", "adapted"]
    ((before,), (after,)) = (study.runs_of(arm.name) for arm in study.arms)
    assert load_file(before.folder.weights).keys() == load_file(after.folder.weights).keys()
    assert not differing(*(load_file(f.weights) for f in (run.folder, before.folder)))
    names = differing(*(load_file(f.weights) for f in (run.folder, after.folder)))
    assert all(re.fullmatch(f"{ENERGY}|{HEAD}", name) for name in names), names
    share = moved(run.folder, after.folder)
    assert f"trained: {share.trained} of {share.parameters} parameters" in said
    assert 0 < share.trained < share.parameters / 5
    assert share.moved <= share.trained
    assert read_run(after.folder.path).spec.origin.parents == (run.spec.digest,)
    assert {row.quantity for row in after.folder.read_energies()} >= {
        Quantity("pi", "t1c", 0),
        Quantity("pi", "t2f", 0),
    }
    check_that_it_is_a_run_like_any(read_run(after.folder.path), two, tmp_path)


def check_that_it_is_a_run_like_any(run: FinishedRun, two: Path, out: Path) -> None:
    """It predicts, is scored on subsets of what there is, and says what it did not see."""
    assert run.modalities == ("t1n", "t1c", "t2w", "t2f")
    case = sorted(two.iterdir())[0]
    with pytest.warns(Note, match="t1n, t2w are absent; it is predicted from t1c, t2f"):
        (written,) = predict(run, [case], out=out / "new", layout=None, machine=Machine(device="cpu"), progress=silent)
    assert written.is_file()
    data = data_of(run, data=None, cache=out / "cache", progress=silent)
    write_subsets(run, data, SubsetFolder(out / "subsets"), machine=Machine(device="cpu"), progress=silent)
    found = read_json(out / "subsets" / "summary.json")
    assert found["modalities"] == ["t1c", "t2f"]
    for name in ("t1n", "t2w"):
        assert all(name not in case.images for case in data.cohort.cases)
    check_files(data.cohort.cases[0], run.spec, run.modalities)


@pytest.mark.filterwarnings("ignore:.*regions contradict each other")  # a network of two epochs
def test_a_modality_that_the_run_never_had(phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.yaml"
    text = RUN.replace("brats(year=2023)}]", "brats(year=2023)}], modalities: [t1c, t2f]")
    file.write_text(text.replace("PHANTOM", str(phantom)))
    show_study(read_single(file), InProcess(), out=tmp_path / "run", cache=None)
    run = read_run(next((tmp_path / "run" / "runs").iterdir()))
    asked = Asked(epochs=2, add=("t1n",), from_nothing=True)
    adapt_run(run, phantom, InProcess(), asked, out=tmp_path / "out", layout=LAYOUT)
    said = " ".join(capsys.readouterr().out.split())
    assert "note: t1n is new to the run, and gets an encoder of its own" in said
    assert "t2w is not read, since the run never had it; --add t2w gives it an encoder" in said
    study = load_study(tmp_path / "out")
    arms = ["as it is", "adapted without t1n", "adapted", "from nothing, equal steps"]
    assert [arm.name for arm in study.arms][:4] == arms
    assert study.reference == "adapted"
    ((old,), (without,), (adapted,), (nothing,)) = (study.runs_of(name) for name in arms)
    assert str(read_run(old.folder.path).spec.plan).startswith("separate(t1c,t2f)[")
    assert read_run(without.folder.path).modalities == ("t1c", "t2f")
    assert read_run(adapted.folder.path).modalities == ("t1c", "t2f", "t1n") == read_run(nothing.folder.path).modalities
    theirs, mine = (load_file(folder.weights) for folder in (run.folder, adapted.folder))
    for name, value in theirs.items():
        if name.startswith("encoders."):
            assert torch.equal(value, mine[name]), "frozen to the bit"
    assert any(name.startswith("encoders.2.") for name in mine)
    assert adapted.environment["steps"] == nothing.environment["steps"]
    assert adapted.environment["trained_parameters"] < nothing.environment["trained_parameters"]


def test_as_much_time_is_as_many_epochs_as_adapting_took(run: FinishedRun, two: Path) -> None:
    source = Source(path=two, layout=LAYOUT, options={"may_lack": ["images"]})
    found = adaptation_of(run, source, Asked(epochs=20, from_nothing=True, folds=3))
    assert found.base.data.split.folds == 3
    assert with_equal_time(found, 10.0, 25.0).arms["from nothing, equal time"] == {"budget": {"epochs": 8}}
    assert "from nothing, equal time" not in with_equal_time(found, 25.0, 25.0).arms, "the same as equal steps"


def test_another_disease_is_compared_with_training_from_nothing(run: FinishedRun, two: Path) -> None:
    source = Source(path=two, layout="brats(year=2023,regions={'lesion':[1,2,3]})", options={"may_lack": ["images"]})
    found = adaptation_of(run, source, Asked(from_nothing=True))
    assert (list(found.arms), found.reference) == (["adapted", "from nothing, equal steps"], "adapted")
    assert found.arms["adapted"]["origin"] == {"parents": [run.spec.digest], "new_head": True}
    assert study_of(found).spec(study_of(found).arms[1], fold=0, seed=0).origin is None


def test_a_modality_that_cannot_be_added_is_refused(run: FinishedRun, phantom: Path) -> None:
    source = Source(path=phantom, layout=LAYOUT)
    for name, said in (("t1c", "the run has t1c already"), ("dwi", "the new cases have t1n, t1c, t2w, t2f")):
        with pytest.raises(SpecError, match=said):
            adaptation_of(run, source, Asked(add=(name,)))


def test_other_regions_begin_with_a_new_last_layer(run: FinishedRun, two: Path, tmp_path: Path) -> None:
    source = Source(path=two, layout="brats(year=2023,regions={'lesion':[1,2,3]})", options={"may_lack": ["images"]})
    found = adaptation_of(run, source, Asked(epochs=1))
    assert found.notes[-1] == "the last layer begins anew: it answers lesion, the run answered WT, TC, ET"
    assert list(found.arms) == ["adapted"]
    keep_parent(run, tmp_path)
    show_study(study_of(found), InProcess(), out=tmp_path, cache=two.parent / "out" / "cache")
    (child,) = load_study(tmp_path).done
    mine, theirs = (load_file(folder.weights) for folder in (child.folder, run.folder))
    assert mine["heads.0.heads.0.weight"].shape[0] == 1
    same = {name for name in mine if mine[name].shape == theirs[name].shape and not name.endswith("heads.0.bias")}
    assert all(re.fullmatch(ENERGY, name) for name in differing(theirs, {name: mine[name] for name in same}))
    assert {row.region for row in child.scores} == {"lesion"}


def test_what_cannot_be_adapted_is_refused(run: FinishedRun, two: Path, tmp_path: Path) -> None:
    strange = "folder(modalities={'dwi':'t1c'},label='seg',regions={'lesion':[1]})"
    with pytest.raises(InputError, match=r"expected cases with some of t1n, t1c, t2w, t2f, found dwi"):
        adaptation_of(run, Source(path=two, layout=strange), Asked(epochs=1))
    place = tmp_path / "runs" / run.spec.digest
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"others")
    with pytest.raises(OutputError, match="holds other weights"):
        keep_parent(run, tmp_path)


def test_the_command_judges_a_cohort(run: FinishedRun, tmp_path: Path) -> None:
    """Cases of the run have the energies that it recorded; one that lacks an image is named and not judged."""
    phantom = run.folder.path.parents[2] / "phantom"
    data = tmp_path / "data"
    tested = sorted(own_energies(run))[:2]
    for name in tested:
        (data / name).mkdir(parents=True)
        for path in (phantom / name).glob("*.nii.gz"):
            if name == tested[0] or not path.name.endswith(("t2w.nii.gz", "seg.nii.gz")):
                os.link(path, data / name / path.name)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        fine = check_quality(run, data, layout="brats(year=2023)", out=tmp_path / "out")
    assert not fine
    assert f"{tested[1]}: not judged: t2w is absent" in " ".join(said.getvalue().split())
    first, second = read_rows(tmp_path / "out" / "energies.csv", ("case", "energy/level0", "problem"))
    assert (first["case"], second["case"]) == tuple(tested)
    recorded = dict(own_energies(run)[tested[0]])
    assert float(first["energy/level0"]) == pytest.approx(recorded[Quantity("energy", level=0)], rel=1e-4)


def test_a_run_without_enough_energies_cannot_judge(run: FinishedRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected energy\.csv in .*, found none"):
        own_energies(FinishedRun(RunFolder(tmp_path), run.spec, run.outline, run.sample_size))
    write_rows(
        tmp_path / "energy.csv",
        ("case", "level", "quantity", "value"),
        [(str(n), 0, "energy", 1.0) for n in range(FEWEST)],
    )
    with pytest.raises(InputError, match="recorded the energies of 4 test cases; more than 4 are needed"):
        own_energies(FinishedRun(RunFolder(tmp_path), run.spec, run.outline, run.sample_size))


def test_digests_of_what_says_nothing_new_stay() -> None:
    plain = run_spec(origin={"parents": ["a"]})
    assert plain.digest == "d514bd6d05a02cbb", "of the version before, by its numbers"
    assert plain.changed({"origin": {"new_head": True}}).digest != plain.digest
    assert plain.changed({"data": {"modalities": ["t1"]}}).digest != plain.digest
