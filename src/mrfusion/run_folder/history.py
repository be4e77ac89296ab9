"""``history.csv``: what happened in a training, epoch by epoch, as tidy rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mrfusion.files import read_rows, write_rows
from mrfusion.run_folder.quantity import Quantity

HEADER = ("epoch", "quantity", "value")


@dataclass
class History:
    """Rows of (epoch, quantity, value); see :class:`mrfusion.run_folder.quantity.Quantity`.

    Epochs count from 1 over all phases; epoch 0 is the validation of inherited weights before any step.
    """

    rows: list[tuple[int, Quantity, float]] = field(default_factory=list)

    def add(self, epoch: int, values: Mapping[Quantity, float]) -> None:
        """Rows for one epoch."""
        self.rows.extend((epoch, quantity, float(value)) for quantity, value in values.items())

    def of(self, quantity: Quantity) -> list[float]:
        """The values of one quantity in the order of the epochs."""
        return [value for _, name, value in self.rows if name == quantity]


def write_history(path: Path, history: History) -> None:
    """Write the rows whole or not at all."""
    write_rows(path, HEADER, ((epoch, str(quantity), value) for epoch, quantity, value in history.rows))


def read_history(path: Path) -> History:
    """Read the rows; InputError where the table is absent, ValueError where a number is none."""
    rows = read_rows(path, HEADER)
    return History([
        (int(row["epoch"]), Quantity.parse(row["quantity"]), float(row["value"] or math.nan)) for row in rows
    ])  # fmt: skip
