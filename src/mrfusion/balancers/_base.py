"""The contract of a balancer: named losses in, gradients on the parameters out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn


class Balancer(nn.Module, ABC):
    """How several losses become one update; losses come unweighted, weights belong here."""

    @abstractmethod
    def backward(
        self, losses: Mapping[str, Tensor], shared: Sequence[nn.Parameter], run_backward: Callable[[Tensor], None]
    ) -> dict[str, float]:
        """Leave gradients on the parameters and return the weight of each loss.

        ``shared`` are the parameters that more than one loss reaches. ``run_backward`` must be called instead of
        ``Tensor.backward`` because it knows the precision and the processes of the run.
        """

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Told the mean of each loss over the epoch; most balancers do not care."""
