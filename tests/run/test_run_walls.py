"""What a machine cannot serve is refused before data are prepared or anything is built."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from mrfusion.case import Cohort, Split
from mrfusion.data.read import RunData
from mrfusion.errors import Note, SpecError, TrainingError
from mrfusion.rules import PLAIN
from mrfusion.run import jobs, walls
from mrfusion.run.walls import check_grid, check_machine, check_samples, machine_told, room_for_network, threads_note
from mrfusion.scoring.rehearsal import rehearse
from mrfusion.spec import Machine, RunSpec
from mrfusion.study.design import read_study
from mrfusion.surface import libraries
from mrfusion.surface.engine import engine

DATA = {"sources": [{"path": "nowhere", "layout": "brats(year=2023)"}]}


def spec(**changes: object) -> RunSpec:
    return RunSpec.model_validate({"data": DATA, **changes})


def data(cases: int) -> RunData:
    names = tuple(str(n) for n in range(cases))
    return RunData(Cohort(("t1", "t2"), ()), {}, (Split(names, (), ()),))


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for what is not there")
def test_a_device_that_is_not_there_is_told_before_the_data_are_looked_for(tmp_path: Path) -> None:
    arm = spec(machine={"device": "cuda"}).model_dump_json()
    with pytest.raises(SpecError, match=r"arm 'a': machine.device: expected a device of the kind cuda, found none"):
        jobs.prepare_data(arm, str(tmp_path / "out"), str(tmp_path / "cache"), {"a": arm})
    with pytest.raises(SpecError, match=r"machine.devices is 1000, and this process may use \d+ cores"):
        check_machine(Machine(device="cpu", devices=1000))
    check_machine(Machine())


def test_more_threads_than_cores_are_said() -> None:
    assert threads_note(Machine(threads=1)) == []
    (note,) = threads_note(Machine(threads=4096))
    assert "machine.threads is 4096" in note


def test_samples_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_samples(spec(), data(10), (1, 64, 64))
    with pytest.raises(SpecError, match="makes 20000000 samples an epoch; at most 10000000"):
        check_samples(spec(sampling={"per_case": 100_000}), data(200), (1, 8, 8))
    monkeypatch.setattr(walls, "free_mib", lambda: 1024.0)
    with pytest.raises(SpecError, match=r"1000 samples of 1 x 256 x 256 grid points with 2 modalities take 1\.6 GiB"):
        check_samples(spec(budget={"batch_size": 1000}), data(1000), (1, 256, 256))
    with pytest.raises(SpecError, match="asks for a tensor of"), room_for_network(spec()):
        torch.empty(20000, 20000)


def test_a_norm_over_one_point_is_found_before_a_training() -> None:
    network = nn.Sequential(nn.InstanceNorm2d(4))
    network.stride = (16, 16)  # type: ignore[assignment]
    with pytest.raises(SpecError, match="a sample of 1 x 16 x 16 grid points has 1 point at the coarsest level"):
        check_grid(network, (1, 16, 16))
    check_grid(network, (1, 32, 16))
    network[0] = nn.BatchNorm2d(4)
    check_grid(network, (1, 16, 16))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError("7 GiB"), "the memory of this machine ran out"),
        (torch.OutOfMemoryError("CUDA out of memory"), "the memory of this machine ran out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "budget.batch_size"),
        (RuntimeError("CUDA error: unspecified launch failure"), "the GPU does not answer any more"),
    ],
)
def test_what_the_machine_refuses_is_one_message(error: Exception, says: str) -> None:
    with pytest.raises(TrainingError, match=says), machine_told():
        raise error
    with pytest.raises(RuntimeError, match="a fault of ours"), machine_told():
        raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"sampling": {"size": [64, 64, 64]}},
            "sampling.size has 3 numbers, .*, and sampling.dimensions is 2",
        ),
        ({"sampling": {"size": [1 << 14, 1 << 14]}}, "expected at most 2.27 grid points"),
        ({"sampling": {"slices": [0.6, 0.4]}}, "expected where the slices begin and, above it, where they end"),
        ({"data": {**DATA, "split": {"folds": 1000}}, "seeds": list(range(1000))}, "make 1000000 runs"),
        ({"network": "unet(base=1000000000)"}, "expected at most 1000000 for base"),
    ],
)
def test_a_file_is_refused_as_it_is_read(tmp_path: Path, keys: dict[str, object], says: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"data": DATA, **keys}))
    with pytest.raises(SpecError, match=says):
        study = read_study(path)
        jobs.make_network(study.base, Cohort(("t1",), ()))


def test_dimensions_that_are_still_to_be_planned_do_not_quarrel_with_a_size(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"data": DATA, "sampling": {"dimensions": "auto", "size": [64, 64, 64]}}))
    assert read_study(path).base.sampling.size == (64, 64, 64)


def test_kernels_that_do_not_work_here_are_found_and_the_slower_way_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("LLVM knows no such processor")

    kernels = ModuleType("kernels")
    kernels.__dict__.update({**vars(libraries), "counted": broken, "__name__": "kernels"})
    monkeypatch.setattr(engine, "__dict__", {"chosen": kernels})
    with pytest.warns(Note, match="numba cannot be used .RuntimeError: LLVM knows no such processor"):
        rehearse(("dice", "hd95"), PLAIN)
    assert engine.chosen is libraries
    rehearse(("dice", "hd95"), PLAIN)  # the slower way works, and is said once


def test_a_metric_that_cannot_be_asked_is_found_before_a_training() -> None:
    with pytest.raises(SpecError, match="nsd"):
        rehearse(("nsd(tolerance_mm=none)",), PLAIN)
