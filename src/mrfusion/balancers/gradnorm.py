"""Weights that bring the losses' gradients to one norm, larger for a loss that lags behind (GradNorm, 2018)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mrfusion.balancers._base import Balancer
from mrfusion.balancers._gradients import RetainingBackward, gradients_of, gramian_of
from mrfusion.kinds import NotNegative, Positive


class Gradnorm(Balancer):
    """GradNorm (Chen et al. 2018): G_i = w_i |grad L_i| on the shared parameters is pulled to mean(G) r_i^alpha.

    r_i = (L_i / L_i at the first step) / their mean; the weights add up to the number of losses, and all parameters
    get the weighted sum.
    Differs from the paper: the step of w_i is -lr sign(G_i - target) in log w_i, not Adam's in w_i, since the losses
    here differ by five orders of magnitude and a weight has to get there.

    Options:
        alpha: how strongly a loss that lags behind is raised; 0 treats all alike
        lr: step size of the weights' logarithms
    Example: gradnorm(alpha=1)
    """

    one_process = True

    def __init__(self, *, alpha: NotNegative = 1.5, lr: Positive = 0.025) -> None:
        super().__init__()
        self.alpha, self.lr = alpha, lr
        self.weights: Tensor = torch.ones(0)
        self.first: Tensor = torch.ones(0)

    def begin(self, names: Sequence[str]) -> None:
        super().begin(names)
        self.weights, self.first = torch.ones(len(self.names), dtype=torch.float64), torch.ones(0)

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RetainingBackward
    ) -> dict[str, float]:
        if tuple(losses) != self.names:
            self.begin(tuple(losses))
        values = torch.stack([loss.detach().double().cpu() for loss in losses.values()])
        self.first = values if len(self.first) == 0 else self.first
        used = dict(zip(losses, self.weights.tolist(), strict=True))
        found = gradients_of(losses, parameters, run_backward)
        for parameter, gradients in zip(parameters, zip(*found, strict=True), strict=True):
            parts = [w * g for w, g in zip(used.values(), gradients, strict=True) if g is not None]
            parameter.grad = torch.stack(parts).sum(0) if parts else None
        if len(values) > 1:
            self._move(gramian_of(found).diagonal().sqrt(), values / self.first)
        return used

    def _move(self, norms: Tensor, progress: Tensor) -> None:
        rates = progress / progress.mean()
        scaled = self.weights * norms
        target = scaled.mean() * rates**self.alpha
        moved = self.weights * torch.exp(-self.lr * torch.sign(scaled - target))
        self.weights = moved * len(moved) / moved.sum()

    def get_extra_state(self) -> dict[str, Any]:
        return {"names": list(self.names), "weights": self.weights, "first": self.first}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        self.names = tuple(state["names"])
        self.weights, self.first = state["weights"], state["first"]
