"""Fixed weights, ``static(fusion=1e-5)``; a loss that is not named weighs 1."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mrfusion.balancers._base import Balancer, RunBackward
from mrfusion.errors import SpecError, nearest
from mrfusion.kinds import NotNegative, Share


class Static(Balancer):
    """total = sum of weight x loss, weights as given, 1 where none is given.

    ``warm`` is the share of the steps in which the given weights grow from 0: ``static(energy=0.1,warm=0.1)``.

    Options:
        warm: share of the steps in which the given weights grow from 0
        weights: the weight of each loss by its name; a loss that is not named has weight 1
    Example: static(energy=0.1,warm=0.1)
    """

    def __init__(self, *, warm: Share = 0.0, **weights: NotNegative) -> None:
        super().__init__()
        self.warm, self.weights, self.grown = warm, weights, 1.0

    def at(self, share: float) -> None:
        self.grown = min(1.0, share / self.warm) if self.warm else 1.0

    def check(self, names: Sequence[str]) -> None:
        for name in self.weights:
            if name not in names:
                raise SpecError(f"balancer static weighs a loss {name!r}; {nearest(name, names)}")

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RunBackward
    ) -> dict[str, float]:
        del parameters
        weights = {name: self.grown * self.weights[name] if name in self.weights else 1.0 for name in losses}
        total = sum((weights[name] * loss for name, loss in losses.items()), start=next(iter(losses.values())) * 0)
        run_backward(total)
        return weights
