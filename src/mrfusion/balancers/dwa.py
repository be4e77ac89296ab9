"""Dynamic weight average: a loss that falls slowly weighs more (Liu, Johns, Davison 2019)."""

from collections.abc import Mapping
from typing import Any

from torchjd.scalarization import DWA

from mrfusion.balancers._weights import Remembering
from mrfusion.errors import SpecError


class Dwa(Remembering):
    """torchjd's DWA: K softmax(r / T), r = L(epoch - 1) / L(epoch - 2); equal in the first two epochs.

    Options:
        temperature: larger values make the weights more alike; larger than 0
    Example: dwa(temperature=1)
    """

    scalarizer: DWA

    def __init__(self, *, temperature: float = 2.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise SpecError(f"balancer dwa: temperature must be larger than 0, found {temperature:g}")
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
