"""Fixed weights, ``static(fusion=1e-5)``; a loss that is not named weighs 1."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mrfusion.balancers._base import Balancer, RunBackward
from mrfusion.errors import SpecError, nearest


class Static(Balancer):
    """total = sum of weight x loss, weights as given, 1 where none is given."""

    def __init__(self, **weights: float) -> None:
        super().__init__()
        self.weights = weights

    def check(self, names: Sequence[str]) -> None:
        for name in self.weights:
            if name not in names:
                raise SpecError(f"balancer static weighs a loss {name!r}; {nearest(name, names)}")

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RunBackward
    ) -> dict[str, float]:
        del parameters
        weights = {name: float(self.weights.get(name, 1.0)) for name in losses}
        total = sum((weights[name] * loss for name, loss in losses.items()), start=next(iter(losses.values())) * 0)
        run_backward(total)
        return weights
