"""Dynamic weight average: a loss that falls slowly weighs more (Liu, Johns, Davison 2019)."""

from collections.abc import Mapping
from typing import Any

from torchjd.scalarization import DWA

from mrfusion.balancers._weights import Remembering
from mrfusion.kinds import Positive


class Dwa(Remembering):
    """torchjd's DWA: K softmax(r / T), r = L(epoch - 1) / L(epoch - 2); equal in the first two epochs.

    Options:
        temperature: larger values make the weights more alike
    Example: dwa(temperature=1)
    """

    scalarizer: DWA

    def __init__(self, *, temperature: Positive = 2.0) -> None:
        super().__init__()
        self.temperature = temperature

    def make(self, count: int) -> DWA:
        del count
        return DWA(self.temperature)

    def end_epoch(self, means: Mapping[str, float]) -> None:
        del means
        self.scalarizer.step()

    def memory(self) -> dict[str, Any]:
        return {"averages": self.scalarizer._previous_averages}

    def remember(self, memory: Mapping[str, Any]) -> None:
        self.scalarizer._previous_averages = memory["averages"]
