"""What a run keeps of its test cases' energies: ``energy.csv``, and maps of the slices that it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mrfusion.errors import InputError
from mrfusion.files import read_rows, write_rows
from mrfusion.run_folder.arrays import stored_arrays, write_arrays
from mrfusion.run_folder.pictures import Slice
from mrfusion.run_folder.quantity import Quantity

HEADER = ("case", "level", "quantity", "value")
ENERGY, OF_MODALITIES = "energy", ("pi", "without", "alignment")  # kinds of quantities
KEYS = ("levels", "modalities", "energy", "weights")


@dataclass(frozen=True)
class EnergyRow:
    """One number of one test case; the quantity has a level."""

    case: str
    quantity: Quantity
    value: float


@dataclass(frozen=True)
class EnergyMaps:
    """The maps of a slice: ``energy`` (L, H, W), ``weights`` (L, M, H, W), beside the slice itself."""

    picture: Slice
    levels: tuple[int, ...]
    modalities: tuple[str, ...]
    energy: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    @property
    def body(self) -> npt.NDArray[np.bool_]:
        """Where any image shows anything."""
        return np.asarray((self.picture.images > 0).any(axis=0))

    @property
    def error(self) -> npt.NDArray[np.bool_]:
        """Where the prediction of any region is wrong."""
        return np.asarray((self.picture.target != self.picture.prediction).any(axis=0))


def write_energies(path: Path, rows: Iterable[EnergyRow]) -> None:
    """Write the table whole or not at all."""
    write_rows(path, HEADER, ((row.case, row.quantity.level, name_in_table(row.quantity), row.value) for row in rows))


def read_energies(path: Path) -> list[EnergyRow]:
    """Read the table; InputError that names the file where it is broken."""
    try:
        return [
            EnergyRow(row["case"], _quantity(row["quantity"], int(row["level"])), float(row["value"]))
            for row in read_rows(path, HEADER)
        ]
    except ValueError as error:
        raise InputError(f"expected levels and values of energies at {path}, found {error}") from None


def name_in_table(quantity: Quantity) -> str:
    """What a quantity is called in the table, which has a column for the level, and leaves ``energy`` out where a name
    says enough: ``energy`` (the last E), ``step0``, ``class/WT``, ``pi/t1c``."""
    return (quantity.name or ENERGY) if quantity.kind == ENERGY else str(replace(quantity, level=None))


def _quantity(text: str, level: int) -> Quantity:
    found = Quantity.parse(text)
    if found.kind in OF_MODALITIES:
        return found.at(level)
    return Quantity(ENERGY, "" if text == ENERGY else text, level)


def write_maps(
    path: Path,
    levels: Sequence[int],
    *,
    modalities: Sequence[str],
    energy: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
) -> None:
    """Write ``energies/<n>.npz``: energy (L, H, W) and weights (L, M, H, W), upright, as float16."""
    write_arrays(
        path,
        levels=np.array(levels),
        modalities=np.array(modalities),
        energy=energy.astype(np.float16),
        weights=weights.astype(np.float16),
    )


def read_maps(path: Path, picture: Slice) -> EnergyMaps:
    """Read ``energies/<n>.npz``; InputError where it is broken or does not lie on the grid of ``picture``."""
    with stored_arrays(path, KEYS, "file of energies") as found:
        maps = EnergyMaps(
            picture,
            tuple(int(level) for level in found["levels"]),
            tuple(str(name) for name in found["modalities"]),
            found["energy"].astype(np.float32),
            found["weights"].astype(np.float32),
        )
    grid, levels = picture.images.shape[1:], len(maps.levels)
    if maps.energy.shape != (levels, *grid) or maps.weights.shape != (levels, len(maps.modalities), *grid):
        raise InputError(f"expected energies on the grid of the slice, {grid}, at {path}, found {maps.energy.shape}")
    return maps
