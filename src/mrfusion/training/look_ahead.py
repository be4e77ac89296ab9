"""One step of a bilevel training: the leader learns from what the follower's loss would be one step later."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mrfusion.balancers._base import Balancer, RunBackward
from mrfusion.errors import SpecError
from mrfusion.schedules._base import LookAhead, Phase
from mrfusion.spec import RunSpec

Losses = tuple[dict[str, Tensor], dict[str, Tensor]]  # by name, and their terms
Compute = Callable[[Mapping[str, Tensor]], Losses]


def look_ahead(
    network: nn.Module, how: LookAhead, compute: Compute, *, rate: float, balancer: Balancer, run_backward: RunBackward
) -> tuple[Losses, dict[str, float]]:
    """Leave gradients on the parameters that learn; the losses as the leader sees them, and their weights.

    ``compute`` gives the losses of the batch with some parameters of ``network``, by their names, replaced. The
    follower's gradient is that of its own losses at its present weights. The leader's is that of all losses, weighed
    by the balancer, where the follower has taken a step of ``how.step`` x ``rate`` down that gradient.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    follower = _learning(how.follower)
    leader = _learning((how.leader,))
    losses, _ = compute({})
    wanted = torch.stack([losses[name] for name in how.losses]).sum()
    gradients = torch.autograd.grad(wanted, follower, create_graph=how.step > 0, allow_unused=True)
    moved = {
        names[id(parameter)]: parameter - how.step * rate * gradient
        for parameter, gradient in zip(follower, gradients, strict=True)
        if gradient is not None
    }
    later = compute(moved)
    weights = balancer.backward(later[0], leader, run_backward)
    for parameter, gradient in zip(follower, gradients, strict=True):
        parameter.grad = None if gradient is None else gradient.detach()
    return later, weights


def check_look_ahead(spec: RunSpec, phases: Sequence[Phase], *, processes: int, precision: str) -> None:
    """SpecError where a training that looks ahead cannot be: gradients of gradients in one process, unscaled, eager."""
    if all(phase.look_ahead is None for phase in phases):
        return
    if processes > 1:
        raise SpecError(f"schedule {spec.schedule} works in one process; set machine.devices to 1, not more")
    if precision == "16-mixed":
        raise SpecError(f"schedule {spec.schedule} cannot scale its losses; write budget.precision: 32-true")
    if spec.machine.compile:
        raise SpecError(f"schedule {spec.schedule} needs gradients of gradients; leave machine.compile out")


def _learning(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
