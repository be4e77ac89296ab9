"""Nothing in a training step waits for the device: what would stop a GPU is counted, on the CPU, while steps run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mrfusion.run_folder.quantity import SCORE
from mrfusion.training import assemble, environment
from mrfusion.training.assemble import prepare_device, said_precision
from tiny import fitted, run_spec, training_of

# each hands a number, or a size that depends on numbers, to Python: on a GPU the CPU must wait for all work before it
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_consecutive", "equal", "is_nonzero"}


class Counter(TorchDispatchMode):
    """Counts what waits, in this thread: batches are read and changed in another, beside the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in WAITING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def waits(per_case: int, folder: Path, **changes: Any) -> list[str]:
    """What waits in one epoch of 3 x ``per_case`` / 4 steps."""
    spec = run_spec(sampling={"per_case": per_case}, budget={"epochs": 1}, **changes)
    training = training_of(spec, folder)
    training.validate = lambda network: {SCORE: 0.0}
    with Counter() as counter:
        fitted(spec, training)
    return counter.found


CHANGES: list[dict[str, Any]] = [
    {},
    {"augmentation": "strong"},
    {"head": "labels", "network": "residual(base=4,stages=2)"},
    {"plan": "separate[mmtm]", "absence": "uniform"},
    {"plan": "separate[energy(width=8)]", "losses": ["dice_ce", "energy"], "balancer": "static(energy=0.1,warm=0.1)"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=["plain", "strong", "labels", "mmtm", "energy"])
def test_more_steps_wait_no_more_often(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch waits when it ends, for its means and its checkpoint; a step does not."""
    monkeypatch.setattr("mrfusion.fusions._quadratic.everything", lambda present: False)  # which a GPU is not asked
    few, many = (waits(n, tmp_path / str(n), **changes) for n in (4, 12))
    assert len(many) == len(few), sorted(set(many))


def test_a_loss_that_asks_for_its_value_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter counts."""
    training = assemble.Objective.itemised

    def curious(self: Any, *args: Any) -> Any:
        found = training(self, *args)
        assert all(value.detach().item() is not None for value in found[0].values())
        return found

    monkeypatch.setattr(assemble.Objective, "itemised", curious)
    few, many = (waits(n, tmp_path / str(n)) for n in (4, 12))
    assert len(many) >= len(few) + 6


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_precision_follows_the_device(has_bf16: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert said_precision("auto", torch.device("cuda")) == expected
    assert said_precision("auto", torch.device("cpu")) == "32-true"
    assert said_precision("32-true", torch.device("cuda")) == "32-true"


def test_a_gpu_multiplies_in_tf32_and_chooses_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    before = torch.get_float32_matmul_precision()
    prepare_device(torch.device("cpu"))
    assert not torch.backends.cudnn.benchmark
    try:
        prepare_device(torch.device("cuda"))
        assert torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_gpu_and_its_driver_are_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n")
    monkeypatch.setattr(environment.hardware, "DRIVER", version)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    found = environment._gpu(torch.device("cuda:0"))
    assert (found["gpu"], found["driver"]) == ("NVIDIA H100", "550.54.15")
    version.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build\n")
    assert environment._gpu(torch.device("cuda:0"))["driver"] == "560.35.03"
    assert environment._gpu(torch.device("cpu")) == {}
