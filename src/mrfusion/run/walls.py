"""What a run may ask of the machine that it is carried out on, checked before anything is built from it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

from mrfusion.data.read import RunData
from mrfusion.data.sample import Place
from mrfusion.errors import SpecError, TrainingError
from mrfusion.hardware import cores, free_mib
from mrfusion.spec import Machine, RunSpec
from mrfusion.training.ceiling import Ceiling

MOST_DRAWS = 10_000_000  # samples of an epoch; each is a few hundred bytes in memory
AHEAD = 3  # batches that are in memory at the same time: the present one and two that are read ahead


def check_machine(machine: Machine) -> None:
    """SpecError where a device is asked for that this process does not have, or more of them than there are."""
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": cores()}
    kind = machine.device
    if kind == "auto":
        kind = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[kind]:
        raise SpecError(
            f"machine.device: expected a device of the kind {kind}, found none that this process may use; write "
            "device: auto, or look at the driver and at CUDA_VISIBLE_DEVICES"
        )
    if machine.devices > there[kind]:
        what = "cores" if kind == "cpu" else f"devices of the kind {kind}"
        raise SpecError(
            f"machine.devices is {machine.devices}, and this process may use {there[kind]} {what}; ask for no more"
        )


def room_for_network(spec: RunSpec) -> AbstractContextManager[object]:
    """Inside the block a network may be built that fits into the memory that is free; SpecError before one that does
    not is made."""
    free = free_mib()
    if math.isinf(free):
        free = 2.0**40  # where the system does not say, only what no machine has is refused
    text = (
        f"expected a network that fits into the {free / 2**10:.1f} GiB of memory that are free, found one that does not"
    )
    return Ceiling(int(free * 2**20), f"{text}: network {spec.network!r}, plan {str(spec.plan)!r}", error=SpecError)


@contextmanager
def machine_told() -> Iterator[None]:
    """What the machine refuses inside the block, memory or a GPU that has gone, becomes one message."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = (str(error).splitlines() or [""])[0][:300]
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in said:
            raise TrainingError(
                f"the memory of this machine ran out ({said}); write a smaller sampling.size, budget.batch_size or "
                "network, or run fewer processes side by side (--workers). What was saved is kept"
            ) from None
        if isinstance(error, torch.AcceleratorError) or "CUDA error" in said or "NVML" in said:
            raise TrainingError(
                f"the GPU does not answer any more ({said}); look at it with nvidia-smi. Finished epochs are kept: the "
                "same command goes on from there when it is back, or on the CPU with machine: {device: cpu}"
            ) from None
        raise


def check_grid(network: nn.Module, size: Place) -> None:
    """SpecError where the coarsest level has one point a sample, and a norm that needs several."""
    stride: tuple[int, ...] = tuple(network.stride)  # type: ignore[arg-type]
    points = math.prod(size) // math.prod(stride)
    if points < 2 and any(isinstance(module, _InstanceNorm) for module in network.modules()):
        raise SpecError(
            f"a sample of {_text(size)} grid points has {points} point at the coarsest level of the network, which "
            f"halves until one of {math.prod(stride)} is left, and its norm needs two; write fewer stages, a larger "
            "sampling.size, or norm=batch"
        )


def check_samples(spec: RunSpec, data: RunData, size: Place) -> None:
    """SpecError where an epoch has more samples than can be drawn, or a batch of them more bytes than are free."""
    cases = max((len(split.train) for split in data.splits), default=0)
    draws = cases * spec.sampling.per_case
    if draws > MOST_DRAWS:
        raise SpecError(
            f"sampling.per_case {spec.sampling.per_case} of {cases} training cases makes {draws} samples an epoch; at "
            f"most {MOST_DRAWS} are drawn: write fewer, and more epochs"
        )
    batch = min(spec.budget.batch_size, max(1, draws))
    modalities = len(spec.plan.modalities(data.cohort.modalities))
    gib = AHEAD * batch * math.prod(size) * (4 * modalities + 1) / 2**30
    free = free_mib() / 2**10
    if gib > free:
        raise SpecError(
            f"{batch} samples of {_text(size)} grid points with {modalities} modalities take {gib:.1f} GiB of memory "
            f"as batches, and {free:.1f} GiB are free; write a smaller budget.batch_size or sampling.size"
        )


def threads_note(machine: Machine) -> Sequence[str]:
    """A note where more threads are asked for than there are cores."""
    most = cores()
    if machine.threads is None or machine.threads <= most:
        return []
    return [f"machine.threads is {machine.threads}, and this process may use {most} cores; {most} threads are used"]


def _text(size: Place) -> str:
    return " x ".join(str(n) for n in size)
