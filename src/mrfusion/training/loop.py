"""The loop: phases of epochs of batches; readable, resumable, the machinery is Fabric's."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.func import functional_call

from mrfusion.balancers._base import Balancer
from mrfusion.data.batch import Batch, Batches
from mrfusion.files import writing
from mrfusion.model.decoder import Idle
from mrfusion.model.inputs import Inputs
from mrfusion.progress import Progress
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import PHASE, RATE, SCORE, SECONDS, Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.schedules._base import Phase
from mrfusion.spec import Budget
from mrfusion.training.checkpoint import load_checkpoint, save_checkpoint
from mrfusion.training.energies import KINDS, has_energy
from mrfusion.training.look_ahead import Compute, Losses, look_ahead
from mrfusion.training.objective import Objective
from mrfusion.training.optimiser import decay, make_optimiser
from mrfusion.training.race import Race
from mrfusion.training.record import Record
from mrfusion.training.tracking import Picture, Tracking
from mrfusion.training.watch import Watch


@dataclass
class Training:
    """Everything that one training needs; ``folder`` is where it keeps its state.

    ``warm``: the network's weights come from a finished run; they are validated as epoch 0 and may remain the best.
    """

    fabric: Fabric
    network: nn.Module
    objective: Objective
    balancer: Balancer
    batches: Batches
    validate: Callable[[nn.Module], dict[Quantity, float]]
    budget: Budget
    folder: RunFolder
    seed: int
    progress: Progress
    watch: Watch
    picture: Picture | None = None
    tracking: Tracking = field(default_factory=Tracking)
    warm: bool = False
    race: Race = field(default_factory=Race)


@dataclass
class State:
    """Where a training stands; all of it is in the checkpoint."""

    phase: int = 0
    epoch: int = 0  # finished epochs of the present phase
    best: float = float("-inf")
    since_best: int = 0
    history: History = field(default_factory=History)

    @property
    def finished_epochs(self) -> int:
        """Finished epochs of all phases."""
        return len(self.history.of(SECONDS))


def fit(training: Training, phases: list[Phase]) -> History:
    """Train phase after phase and leave the network with the weights of its best epoch.

    Goes on exactly where an interrupted training in the same folder stopped, at its end too: the checkpoint stays until
    the run has been scored (:func:`drop_checkpoints`). Raises TrainingError, naming the batch,
    when a loss is not finite; the last good checkpoint stays in the folder.
    """
    saved = load_checkpoint(training.folder)
    state = _first_state(training, phases) if saved is None else _state_from(saved)
    for number in range(state.phase, len(phases)):
        if number > state.phase:
            state = State(phase=number, history=state.history)
        _run_phase(training, phases[number], state, saved if saved and saved["phase"] == number else None)
    return state.history


def _first_state(training: Training, phases: Sequence[Phase]) -> State:
    """Before any step; of inherited weights with their validation as epoch 0, so that a parent's can be compared; of
    others with their energies, if they have any, so that what training made of them can be."""
    state = State()
    if training.warm:
        scores = training.validate(training.network.to(training.fabric.device))
        state.history.add(0, scores)
        _keep_if_best(training, state, _merit(scores, phases[0].watch if phases else ""))
        training.folder.write_history(state.history)
    elif has_energy(training.network):
        scores = training.validate(training.network.to(training.fabric.device))
        state.history.add(0, {quantity: v for quantity, v in scores.items() if quantity.kind in KINDS})
    return state


def _run_phase(training: Training, phase: Phase, state: State, saved: Mapping[str, Any] | None) -> None:
    budget, fabric, epochs = training.budget, training.fabric, phase.epochs(training.budget.epochs)
    _freeze_all_but(training.network, phase)
    training.balancer.begin(phase.losses)
    training.balancer.to(fabric.device)
    module, optimiser = fabric.setup(training.network, make_optimiser(phase, training.balancer, budget))
    if saved is not None:
        training.network.load_state_dict(saved["network"])
        training.balancer.load_state_dict(saved["balancer"])
        optimiser.load_state_dict(saved["optimiser"])
        training.objective.recall(saved.get("losses", {}))
    while state.epoch < len(epochs) and state.since_best < (budget.patience or len(epochs)):
        if training.race.lost(state.epoch, state.best):
            break
        started = time.perf_counter()
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * decay(budget, epochs[state.epoch])
        means = _train_epoch(training, module, optimiser, phase, state)
        scores = training.validate(module)
        seen = training.watch.look(training.network, phase.losses, state.finished_epochs + 1)
        _note(
            training,
            state,
            phase,
            means | scores | seen | _rates(optimiser) | {SECONDS: time.perf_counter() - started},
        )
        if fabric.is_global_zero:
            save_checkpoint(training.folder, _checkpoint(training, state, optimiser))
    training.network.load_state_dict(load_file(training.folder.best_weights))


def _train_epoch(
    training: Training, module: nn.Module, optimiser: torch.optim.Optimizer, phase: Phase, state: State
) -> dict[Quantity, float]:
    """One epoch; the losses stay on the device until its end, so that no step waits for a number."""
    fabric, epoch = training.fabric, state.finished_epochs
    fabric.seed_everything((training.seed * 100_003 + epoch) % 2**32, verbose=False)
    _wake(training.network, phase)
    record = Record()
    steps, epochs = len(training.batches), len(phase.epochs(training.budget.epochs))
    for number, batch in enumerate(training.batches.epoch(epoch)):
        training.balancer.at((state.epoch * steps + number) / (epochs * steps))
        record.add(batch.ids, *_step(training, module, optimiser, phase, batch))
        _tell(training, state, phase, number)
    values = record.checked(fabric, epoch)
    training.balancer.end_epoch({name: values[Quantity("train", name)] for name in phase.losses})
    return values


def _step(
    training: Training, module: nn.Module, optimiser: torch.optim.Optimizer, phase: Phase, batch: Batch
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, float]]:
    """One update; the losses, their terms and their weights."""
    fabric, clip_norm = training.fabric, training.budget.clip_norm

    def compute(replaced: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        given = (batch.images, batch.present)
        with fabric.autocast():
            output = functional_call(training.network, dict(replaced), given) if replaced else module(*given)
            return training.objective.itemised(output, batch, phase.losses)

    def again() -> dict[str, Tensor]:
        with torch.no_grad():
            return compute({})[0]

    optimiser.zero_grad(set_to_none=True)
    (losses, terms), weights = _backward(training, phase, compute, optimiser)
    training.objective.remember()
    if clip_norm is not None:
        fabric.clip_gradients(module, optimiser, max_norm=clip_norm, error_if_nonfinite=False)
    optimiser.step()
    training.balancer.after_step(again)
    return losses, terms, weights


def _backward(
    training: Training, phase: Phase, compute: Compute, optimiser: torch.optim.Optimizer
) -> tuple[Losses, dict[str, float]]:
    """Leave gradients on what learns; the losses with their terms, and their weights."""
    backward, balancer = training.fabric.backward, training.balancer
    if phase.look_ahead is not None:
        rate = float(optimiser.param_groups[0]["lr"])
        return look_ahead(
            training.network, phase.look_ahead, compute, rate=rate, balancer=balancer, run_backward=backward
        )
    found = compute({})
    learning = [p for p in training.network.parameters() if p.requires_grad]
    return found, balancer.backward(found[0], learning, backward)


def _note(training: Training, state: State, phase: Phase, values: Mapping[Quantity, float]) -> None:
    """Write an epoch down and keep its weights if they are the best so far."""
    state.history.add(state.finished_epochs + 1, {**values, PHASE: state.phase + 1})
    state.epoch += 1
    state.since_best += 1
    _keep_if_best(training, state, _merit(values, phase.watch))
    training.folder.write_history(state.history)
    training.tracking.epoch(state.finished_epochs, values, training.network, training.picture)


def _keep_if_best(training: Training, state: State, score: float) -> None:
    """Keep the network's weights if their score is the best so far, or no score before it was a number."""
    if score > state.best or not math.isfinite(state.best):
        state.best, state.since_best = score, 0
        if training.fabric.is_global_zero:
            save_weights(training.folder.best_weights, training.network)


def _merit(values: Mapping[Quantity, float], watch: str) -> float:
    """What the best epoch has most of: the validation score, or minus the validation mean of the loss ``watch``."""
    return -values[Quantity("val", watch)] if watch else values[SCORE]


def _rates(optimiser: torch.optim.Optimizer) -> dict[Quantity, float]:
    """The learning rate, and that of modules which have one of their own."""
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    return {RATE: rates[0]} | ({Quantity("lr", "own"): rates[-1]} if rates[-1] != rates[0] else {})


def _tell(training: Training, state: State, phase: Phase, step: int) -> None:
    each, epochs = len(training.batches), len(phase.epochs(training.budget.epochs))
    first = Quantity("train", next(iter(phase.losses)))
    losses = [value for _, name, value in state.history.rows if name == first]
    known = f"loss {losses[-1]:.3f}, best validation {state.best:.3f}" if state.epoch and losses else "starting"
    what = f"epoch {state.epoch + 1}/{epochs}, {known}"
    training.progress(state.epoch * each + step + 1, epochs * each, what)


def save_weights(path: Path, network: nn.Module) -> None:
    """The network's parameters and buffers as safetensors, whole or not at all."""
    content = save({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})
    with writing(path) as temporary:
        temporary.write_bytes(content)


def _freeze_all_but(network: nn.Module, phase: Phase) -> None:
    learning = {id(p) for module in phase.modules for p in module.parameters()}
    idle = {id(p) for module in network.modules() if isinstance(module, Idle) for p in module.parameters()}
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in learning - idle)


def _wake(network: nn.Module, phase: Phase) -> None:
    """Put into training mode what learns and nothing else, so that frozen norms keep their running statistics."""
    network.eval()
    for module in phase.modules:
        module.train()
    for module in network.modules():
        if isinstance(module, Inputs):
            module.stop_gradient = phase.stop_gradient


def _checkpoint(training: Training, state: State, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    return {
        "network": training.network.state_dict(),
        "balancer": training.balancer.state_dict(),
        "optimiser": optimiser.state_dict(),
        "losses": training.objective.memory(),
        "phase": state.phase,
        "epoch": state.epoch,
        "best": state.best,
        "since_best": state.since_best,
        "history": [(epoch, str(quantity), value) for epoch, quantity, value in state.history.rows],
    }


def _state_from(saved: Mapping[str, Any]) -> State:
    rows = [(epoch, Quantity.parse(quantity), value) for epoch, quantity, value in saved["history"]]
    return State(saved["phase"], saved["epoch"], saved["best"], saved["since_best"], History(rows))
