"""``probabilities.csv``: what a classification answers for each case, and the right class where it is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrfusion.errors import CaseError, InputError
from mrfusion.files import read_rows, write_rows

FILE = "probabilities.csv"  # of a run, and where new cases are predicted
KEYS = ("case", "target")  # every other column is a class


@dataclass(frozen=True)
class Answer:
    """One case: the name of its right class, empty where nobody knows it, and a probability for each class."""

    case: str
    target: str
    probabilities: tuple[float, ...]


def write_probabilities(path: Path, classes: Sequence[str], answers: Iterable[Answer]) -> None:
    """Write ``case,target,<class>,<class>,...`` whole or not at all; every digit is kept."""
    write_rows(path, (*KEYS, *classes), ((a.case, a.target, *map(float, a.probabilities)) for a in answers))


def read_probabilities(path: Path) -> tuple[tuple[str, ...], list[Answer]]:
    """The classes and the answers; InputError or CaseError that names the file, the case and the column."""
    rows = read_rows(path, KEYS)
    if not rows:
        raise InputError(f"{path} holds no cases; expected one row for each")
    classes = tuple(name for name in rows[0] if name not in KEYS)
    return classes, [
        Answer(row["case"], row["target"], tuple(_number(path, row, name) for name in classes)) for row in rows
    ]


def _number(path: Path, row: dict[str, str], name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError):
        raise CaseError(f"{path}, case {row['case']}: expected a number for {name!r}, found {row[name]!r}") from None
