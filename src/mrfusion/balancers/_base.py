"""The contract of a balancer: named losses in, gradients on the parameters out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

IN_FILE = "balancer: CHOICE"  # how a choice is written; `mrfusion list` shows it

RunBackward = Callable[[Tensor], None]


class Balancer(nn.Module, ABC):
    """How several losses become one update; losses come unweighted, weights belong here.

    A balancer begins anew in each phase of a training. What it must remember to go on after an interruption is in its
    ``state_dict``. ``one_process`` says that it works in a single process only, because it runs backward more than once
    in a step or learns on its own.
    """

    one_process = False

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()

    def check(self, names: Sequence[str]) -> None:
        """SpecError where its options speak of a loss that is not among those of the run."""

    def begin(self, names: Sequence[str]) -> None:
        """Told the losses of the phase before its optimiser is made, so that parameters of its own can learn in it."""
        self.names = tuple(names)

    def at(self, share: float) -> None:
        """Told before each step which share of the phase's steps is done; most balancers do not care."""

    @abstractmethod
    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RunBackward
    ) -> dict[str, float]:
        """Leave gradients on the parameters that learn, which have none, and return the weight of each loss.

        ``run_backward`` must be called instead of ``Tensor.backward`` because it knows the precision and the processes
        of the run; it keeps the graph where it is told ``retain_graph=True``.
        """

    def after_step(self, again: Callable[[], Mapping[str, Tensor]]) -> None:
        """Called when the parameters have moved; ``again`` computes the same batch's losses once more (it costs a
        forward pass)."""

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Told the mean of each loss over the epoch; most balancers do not care."""
