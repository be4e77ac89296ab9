"""A number line: from values to places in percent and round ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A straight line from ``low`` to ``high``."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where the value stands, in percent of the line."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[float]:
        """Three to seven round numbers inside the line."""
        raw = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
        first = math.ceil(self.low / step - 1e-9)
        return [round(k * step, 10) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale_of(values: Sequence[float], margin: float = 0.06) -> Scale:
    """The line that holds all finite values, with a margin as a share of its length on both sides."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    reach = (high - low) or abs(high) or 1.0
    return Scale(low - margin * reach, high + margin * reach)
