"""The contract of a schedule: a network in, the phases of its training out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

IN_FILE = "schedule: 'CHOICE'"  # how a choice is written; `mrfusion list` shows it


@dataclass(frozen=True)
class LookAhead:
    """A leader that learns from a step of its follower that is only tried: ``step`` times the learning rate down the
    gradient of the follower's ``losses``."""

    leader: nn.Module
    follower: tuple[nn.Module, ...]
    losses: tuple[str, ...]
    step: float


@dataclass(frozen=True)
class Phase:
    """A stretch of training: which modules learn, on which losses, and how long.

    All other modules stay as they are to the bit, the running statistics of their norms included. ``rate`` is a share
    of the budget's learning rate; ``own_rates`` are modules inside ``modules`` whose rate is another, as a number.
    ``span`` is the part of the budget's epochs and of its learning-rate curve that the phase fills, from 0 to 1.
    ``watch`` names the loss whose validation mean chooses the best epoch and stops the phase early; the validation
    score where it is empty. ``stop_gradient``: what reads a fused image sends no gradient into it.
    ``look_ahead``: whether one part learns from what the loss of another would be one step later.
    """

    name: str
    modules: tuple[nn.Module, ...]
    losses: tuple[str, ...]
    rate: float = 1.0
    own_rates: tuple[tuple[nn.Module, float], ...] = ()
    span: tuple[float, float] = (0.0, 1.0)
    watch: str = ""
    stop_gradient: bool = False
    look_ahead: LookAhead | None = None

    def epochs(self, budget: int) -> range:
        """The epochs of a budget that the phase fills, at least one."""
        first, last = (round(share * budget) for share in self.span)
        return range(min(first, budget - 1), max(last, min(first, budget - 1) + 1))


class Schedule(ABC):
    """What is trained when."""

    @abstractmethod
    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        """The phases in their order; ``losses`` are the names that the run computes."""
