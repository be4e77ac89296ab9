"""Weights from how each loss changed between epochs (Li, Zhao, Zhang, eq. 6), ``epoch_ratio(normalise=true)``."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mrfusion.balancers._base import Balancer, RunBackward
from mrfusion.kinds import Positive


class EpochRatio(Balancer):
    """lambda_i = eta_i e^(r_i / T) / sum over j of eta_j e^(r_j / T), r = L(epoch) / L(epoch before), eta = T = 1.

    The r of an epoch's weights are those of the two finished epochs before it; weights are equal until both exist. The
    paper's rule is blind to scale: lambda of two losses stays within about 0.27-0.73 whatever their size, while the
    best fixed weight of its fusion loss is 5e-5. ``normalise`` divides each loss by its mean over the first epoch (in
    that epoch: by its value at the first step) [ours]; the weights that are recorded contain the division.

    Options:
        normalise: whether each loss is divided by its mean over the first epoch
        temperature: larger values make the weights more alike
    Example: epoch_ratio(normalise=true)
    """

    def __init__(self, *, normalise: bool = False, temperature: Positive = 1.0) -> None:
        super().__init__()
        self.normalise, self.temperature = normalise, temperature
        self.one_process = normalise  # the first losses of each process's share are not those of the batch
        self.scales: dict[str, float] = {}
        self.means: list[dict[str, float]] = []

    def begin(self, names: Sequence[str]) -> None:
        super().begin(names)
        self.scales, self.means = {}, []

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RunBackward
    ) -> dict[str, float]:
        del parameters
        if self.normalise and not self.scales:
            self.scales = {name: float(loss.detach()) for name, loss in losses.items()}
        weights = self.weights(tuple(losses))
        run_backward(torch.stack([weights[name] * loss for name, loss in losses.items()]).sum())
        return weights

    def weights(self, names: Sequence[str]) -> dict[str, float]:
        """The weight of each loss in the present epoch."""
        older, newer = self.means if len(self.means) == 2 else (dict.fromkeys(names, 1.0),) * 2
        ratios = [(newer[name] / older[name] if older[name] else 1.0) / self.temperature for name in names]
        powers = [math.exp(ratio - max(ratios)) for ratio in ratios]
        return {
            name: power / sum(powers) / self.scales.get(name, 1.0) for name, power in zip(names, powers, strict=True)
        }

    def end_epoch(self, means: Mapping[str, float]) -> None:
        if self.normalise and not self.means:
            self.scales = dict(means)
        self.means = [*self.means, dict(means)][-2:]

    def get_extra_state(self) -> dict[str, object]:
        return {"scales": self.scales, "means": self.means}

    def set_extra_state(self, state: Mapping[str, object]) -> None:
        self.scales, self.means = state["scales"], state["means"]  # type: ignore[assignment]
