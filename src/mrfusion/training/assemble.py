"""From a specification to the parts of its training, and back from a folder to a trained network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mrfusion import families
from mrfusion.augmentations._base import Augmentation
from mrfusion.backbones._base import Whole
from mrfusion.balancers._base import Balancer
from mrfusion.case import Cohort
from mrfusion.data.absence import absence_of
from mrfusion.data.batch import Batches, Share
from mrfusion.data.sample import LoadedCase, Place, Sampler
from mrfusion.errors import InputError, SpecError, reason
from mrfusion.hardware import cores
from mrfusion.model.ensemble import Ensemble
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.model.whole import WholeNetwork, backbone_named
from mrfusion.progress import Progress
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import Machine, RunSpec
from mrfusion.training.ceiling import Ceiling
from mrfusion.training.decision import make_decision
from mrfusion.training.energies import make_energies
from mrfusion.training.heap import keep_heap
from mrfusion.training.loop import Training
from mrfusion.training.objective import Objective, make_objective, out_channels
from mrfusion.training.predict import Predictor
from mrfusion.training.tracking import Picture
from mrfusion.training.validate import Samples, Validation, make_score
from mrfusion.training.watch import Watch

Module = TypeVar("Module", bound=nn.Module)
LARGEST_SLICE = 256
PATCH_3D = 96
FREE_BYTES = 2**28  # what a network may take however small its weights are


@dataclass(frozen=True)
class Parts:
    """The cases of one fold as a training reads them, and the size of a sample in grid points (S, H, W)."""

    train: Sequence[LoadedCase]
    val: Sequence[LoadedCase]
    size: Place


@dataclass(frozen=True)
class Model:
    """A trained network on whole cases: logits (on the CPU) by ``predictor``, what they mean by ``decision``."""

    predictor: Predictor
    decision: nn.Module


def make_fabric(machine: Machine, precision: str) -> Fabric:
    """Devices and precision of a run; the CPU's threads are set here once."""
    if machine.threads:
        torch.set_num_threads(min(machine.threads, cores()))  # a note says so before the run
    on_gpu = machine.device == "cuda" or (machine.device == "auto" and torch.cuda.is_available())
    accelerator = "gpu" if machine.device == "cuda" else machine.device
    strategy = "ddp_spawn" if machine.devices > 1 else "auto"
    chosen = said_precision(precision, torch.device("cuda" if on_gpu else "cpu"))
    return Fabric(accelerator=accelerator, devices=machine.devices, precision=chosen, strategy=strategy)  # type: ignore[arg-type]


def said_precision(precision: str, device: torch.device) -> str:
    """What ``auto`` is on this device; a GPU that only imitates bf16 does not have it."""
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"


def prepare_device(device: torch.device) -> None:
    """How this process computes: freed memory is kept for the next step, and on a GPU single precision is TF32 (ten
    bits of mantissa in products, sums in single) and cuDNN measures which of its kernels is the fastest for a shape."""
    keep_heap()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def make_network(spec: RunSpec, cohort: Cohort) -> FusionNetwork | WholeNetwork | Ensemble:
    """The untrained network of a run, or its ensemble; the first weights depend on the seed only."""
    if spec.members:
        each = [_make_one(spec.model_copy(update={"plan": plan}), cohort) for plan in spec.members]
        return Ensemble(each, exclusive=spec.chosen_task.exclusive(spec.head))
    return _make_one(spec, cohort)


def _make_one(spec: RunSpec, cohort: Cohort) -> FusionNetwork | WholeNetwork:
    torch.manual_seed(spec.seed)
    backbone = backbone_named(spec.network, spec.sampling.dimensions)
    modalities, channels = spec.plan.modalities(cohort.modalities), out_channels(spec, cohort)
    if isinstance(backbone, Whole):
        return WholeNetwork(spec.plan, modalities, backbone, channels)
    return build_network(spec.plan, modalities, backbone, task=spec.task, out_channels=channels)


def make_training(
    spec: RunSpec, cohort: Cohort, parts: Parts, *, fabric: Fabric, folder: RunFolder, progress: Progress
) -> Training:
    """Everything that one training needs."""
    prepare_device(fabric.device)
    sampling, budget = spec.sampling, spec.budget
    if budget.batch_size % fabric.world_size:
        raise SpecError(
            f"budget.batch_size must be a multiple of machine.devices, {fabric.world_size}, found {budget.batch_size}"
        )
    network = channels_last(make_network(spec, cohort), sampling.dimensions)
    if fabric.world_size > 1 and any(isinstance(module, _BatchNorm) for module in network.modules()):
        raise SpecError(
            f"network {spec.network} has batch norm, whose statistics would be of each process's share of a batch "
            "alone; write norm=instance, or set machine.devices to 1"
        )
    if spec.machine.compile:
        network.compile()
    objective = make_objective(spec, cohort).to(fabric.device)
    _check_losses(objective, fabric)
    sampler = Sampler(
        parts.train,
        parts.size,
        per_case=sampling.per_case,
        foreground=sampling.foreground,
        centred=sampling.centred,
        every_slice=sampling.slices is not None and parts.size[0] == 1,
        seed=spec.seed,
    )
    share = Share(fabric.global_rank, fabric.world_size, fabric.device)
    absence = absence_of(spec, cohort)
    validation = Validation(
        Samples(parts.val, parts.size, sampling.per_case, absence),
        objective=objective,
        score=make_score(spec, cohort, objective, fabric.device),
        energies=make_energies(spec, cohort),
        fabric=fabric,
    )
    augmentation = families.load("augmentations", spec.augmentation)()
    batches = Batches(sampler, budget.batch_size, augmentation, share, absence)
    watch = Watch(batches, parts.val, parts.size, objective=objective, autocast=fabric.autocast, folder=folder)
    return Training(
        fabric,
        network,
        objective,
        _balancer(spec, fabric),
        batches,
        validation,
        budget,
        folder,
        spec.seed,
        progress,
        watch,
        Picture(lambda: watch.slice, validation.score.masks, fabric.autocast),
    )


def _check_losses(objective: Objective, fabric: Fabric) -> None:
    """SpecError where a loss needs the whole batch in one process, and there are several."""
    whole = [name for name, loss in objective.losses.items() if getattr(loss, "one_process", False)]
    if whole and fabric.world_size > 1:
        raise SpecError(f"loss {whole[0]} needs a whole batch in one process; set machine.devices to 1, not more")


def _balancer(spec: RunSpec, fabric: Fabric) -> Balancer:
    balancer: Balancer = families.load("balancers", spec.balancer)()
    balancer.check(spec.loss_names)
    if balancer.one_process and fabric.world_size > 1:
        raise SpecError(f"balancer {spec.balancer} works in one process; set machine.devices to 1, not more")
    return balancer


def make_model(spec: RunSpec, cohort: Cohort, *, network: nn.Module, size: Place, fabric: Fabric) -> Model:
    """A network ready for whole cases, on the device of ``fabric``."""
    placed = channels_last(network.to(fabric.device), spec.sampling.dimensions)
    predictor = Predictor(placed, size, fabric.device, fabric.autocast, mirror=spec.mirror)
    return Model(predictor, make_decision(spec, cohort))


def check_mirror(spec: RunSpec) -> None:
    """SpecError where predictions are to be averaged over mirrors that the training never shows; the augmentation is
    built on the way, so that its options are checked too."""
    augmentation: Augmentation = families.load("augmentations", spec.augmentation)()
    if spec.mirror and not augmentation.mirrors:
        raise SpecError(
            f"mirror: the predictions would be averaged over mirrors, and augmentation {spec.augmentation!r} shows the "
            "network none; let it mirror, or leave mirror out"
        )


def load_network(spec: RunSpec, cohort: Cohort, weights: Path) -> FusionNetwork | WholeNetwork | Ensemble:
    """The trained network of a run. Reading weights cannot run code (safetensors). InputError if they do not fit.

    A specification that asks for a network far larger than its weights is refused before memory is asked for it.
    """
    try:
        size = weights.stat().st_size
        found = f"expected a network that fits its weights of {size} bytes, found that of plan {str(spec.plan)!r}"
        with Ceiling(FREE_BYTES + 8 * size, found):
            network = make_network(spec, cohort)
        network.load_state_dict(load_file(weights))
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise InputError(
            f"expected the weights of plan {str(spec.plan)!r} at {weights}, found: {reason(error)[:400]}"
        ) from None
    return network


def sample_size(spec: RunSpec, shapes: Sequence[Place], network: nn.Module) -> Place:
    """The size of a sample: as the spec says, or whole slices up to 256 points, or cubes of up to 96.

    ``shapes`` are of the cohort's cases, (slices, rows, columns); sizes are multiples of the network's stride.
    """
    strides = tuple(network.stride)  # type: ignore[arg-type]
    given, dimensions = spec.sampling.size, spec.sampling.dimensions
    if given is not None and len(given) != dimensions:
        raise SpecError(
            f"sampling.size: expected {dimensions} numbers, as sampling.dimensions is {dimensions}, found {given}"
        )
    if given is not None:
        wanted: tuple[int, ...] = given
    else:
        most = [max(shape[axis] for shape in shapes) for axis in range(3)]
        wanted = (
            tuple(min(n, LARGEST_SLICE) for n in most[1:]) if dimensions == 2 else tuple(min(n, PATCH_3D) for n in most)
        )
    whole = tuple(-(-n // stride) * stride for n, stride in zip(wanted, strides, strict=True))
    return (1, *whole) if dimensions == 2 else whole


def channels_last(network: Module, dimensions: int) -> Module:
    """The network with its convolutions' weights channels last, those on grids of other dimensions as they are.

    Measured faster than torch's default on every machine we have (``bench/train_loop.py``).
    """
    layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    for parameter in network.parameters():
        if parameter.ndim == dimensions + 2:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return network
