"""Balancers that look at each loss's gradient on the parameters that several losses share."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mrfusion.balancers._base import Balancer

Gradients = list[Tensor | None]
RetainingBackward = Callable[..., None]
_SHORTEST = 1e-30  # a gradient that vanishes has no direction


class GradientBalancer(Balancer):
    """Weights of the losses on shared parameters, from the inner products of their gradients there.

    A parameter is shared if more than one loss reaches it. All others keep the plain gradient of the one loss that
    reaches them, so however the losses are weighed, what only the segmentation reaches is trained as if it were alone.
    ``unit``: gradients are brought to the length of the shortest before the method sees them, so that losses of very
    different scale meet on equal terms. Costs one backward pass for each loss.
    """

    one_process = True

    def __init__(self, *, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit

    @abstractmethod
    def weigh(self, gramian: Tensor) -> Tensor:
        """Weights (k,) of the losses from the inner products (k, k) of their gradients."""

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RetainingBackward
    ) -> dict[str, float]:
        found = gradients_of(losses, parameters, run_backward)
        weights = self._weights(gramian_of(found))
        put_sum(parameters, found, weights)
        return dict(zip(losses, weights.tolist(), strict=True))

    def _weights(self, gramian: Tensor) -> Tensor:
        """1 for a loss that is alone, and where something is not finite: the training stops and names the batch."""
        if len(gramian) == 1 or not gramian.isfinite().all():
            return torch.ones(len(gramian))
        if not self.unit:
            return self.weigh(gramian)
        norms = gramian.diagonal().sqrt().clamp(min=_SHORTEST)
        return self.weigh(gramian / torch.outer(norms, norms)) * norms.min() / norms


def gradients_of(
    losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RetainingBackward
) -> list[Gradients]:
    """One list a loss: its gradient on each parameter, None where it does not reach it; none is left on them."""
    found: list[Gradients] = []
    for number, loss in enumerate(losses.values()):
        run_backward(loss, retain_graph=number < len(losses) - 1)
        found.append([parameter.grad for parameter in parameters])
        for parameter in parameters:
            parameter.grad = None
    return found


def gramian_of(found: Sequence[Gradients]) -> Tensor:
    """(k, k) inner products, over the shared parameters, of the gradients of k losses; in double precision, as
    losses of very different scale meet in it."""
    shared = [place for place in zip(*found, strict=True) if sum(g is not None for g in place) > 1]
    gramian = torch.zeros(len(found), len(found), dtype=torch.float64)
    for gradients in shared:
        for i, one in enumerate(gradients):
            for j, other in enumerate(gradients[: i + 1]):
                if one is not None and other is not None:
                    gramian[i, j] += (one.double() * other.double()).sum().cpu()
    return gramian + gramian.tril(-1).mT


def put_sum(parameters: Sequence[nn.Parameter], found: Sequence[Gradients], weights: Tensor) -> None:
    """Give shared parameters the weighted sum of their gradients, the others the plain one."""
    for parameter, gradients in zip(parameters, zip(*found, strict=True), strict=True):
        reached = [(w, g) for w, g in zip(weights.tolist(), gradients, strict=True) if g is not None]
        if len(reached) == 1:
            parameter.grad = reached[0][1]
        elif reached:
            parameter.grad = torch.stack([w * g for w, g in reached]).sum(0)
