"""The contract of a schedule: a network in, the phases of its training out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Phase:
    """A stretch of training: which modules learn, on which losses, with which share of the learning rate."""

    name: str
    modules: tuple[nn.Module, ...]
    losses: tuple[str, ...]
    rate: float = 1.0


class Schedule(ABC):
    """What is trained when."""

    @abstractmethod
    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        """The phases in their order; ``losses`` are the names that the run computes."""
