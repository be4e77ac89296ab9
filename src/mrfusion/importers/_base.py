"""What every importer keeps to: a file of another tool in, one row a number out, nothing else guessed.

An importer is ``importer(source: Source, **options) -> list[Imported]``, and beside it in its file stands
``fits(source: Source) -> bool``, which tells by the content, never by the name alone, whether the file is one of its
own. A file that is not is refused with one message (InputError). An empty cell is a number that does not exist.
"""

import csv
import json
import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError, reason
from mrfusion.files import delimiter_in, encoding_of, known, table_lines
from mrfusion.result import Status

IN_FILE = "mrfusion compare ARM=FILE --importer 'CHOICE'"  # how a choice is written; `mrfusion list` shows it


@dataclass(frozen=True)
class Imported:
    """One number and what the file says of its place; None where the file says nothing.

    ``in_target`` is False where the file tells that the target lacks the region.
    """

    case: str
    region: str
    metric: str
    value: float
    status: Status = "scored"
    in_target: bool = True
    arm: str | None = None
    patient: str | None = None
    fold: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("case", "region", "arm", "patient"):
            if isinstance(given := getattr(self, name), str) and not given.isascii():
                object.__setattr__(self, name, unicodedata.normalize("NFC", given))


@dataclass(frozen=True)
class Source:
    """A file, read once: as JSON where it begins like JSON, else as a table whose delimiter its header tells."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The whole file; InputError where it cannot be read as text."""
        try:
            return unicodedata.normalize("NFC", self.path.read_text(encoding=encoding_of(self.path)))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"expected a table or a JSON file at {self.path}, found: {reason(error)}") from None

    @cached_property
    def content(self) -> Any:
        """The JSON value; None where the file is none."""
        if not self.text.lstrip().startswith(("{", "[")):
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names in the first line; none where the file is JSON or empty."""
        return () if self.content is not None else tuple(self._table[0]) if self._table else ()

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Each line below the first by column; a line of another length is an InputError that names it."""
        found = []
        for number, cells in enumerate(self._table[1:], 2):
            if len(cells) != len(self.columns):
                raise InputError(
                    f"{self.path}, line {number}: expected {len(self.columns)} cells as in the header, "
                    f"found {len(cells)}"
                )
            found.append(dict(zip(self.columns, cells, strict=True)))
        return found

    def number(self, cell: str, what: str) -> float:
        """The number in a cell, NaN where it says that there is none; InputError that names ``what`` otherwise."""
        if known(cell) == "":
            return math.nan
        try:
            return float(cell)
        except ValueError:
            raise InputError(f"{self.path}: expected a number for {what}, found {cell!r}") from None

    def refuse(self, expected: str) -> InputError:
        """The one message for a file that is not the importer's own."""
        found = f"the columns {', '.join(self.columns[:8])}" if self.columns else "JSON" if self.content else "no table"
        return InputError(f"{self.path}: expected {expected}; found {found}")

    @cached_property
    def _table(self) -> list[list[str]]:
        lines = table_lines(self.text.splitlines())
        table = csv.reader(lines, delimiter=delimiter_in(self.text), skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in table]
        return [row for row in rows if any(row)]


def scored(value: float) -> Status:
    """``scored``, or ``undefined`` where no number exists; an infinite one counts as none."""
    return "scored" if math.isfinite(value) else "undefined"


def cells(
    source: Source, row: Mapping[str, str], *, case: str, region: str, columns: Mapping[str, str], lacks: bool = False
) -> Iterable[Imported]:
    """The numbers of one region in one row: ``columns`` maps a column to its metric, those absent are passed over."""
    for column, metric in columns.items():
        if column in row:
            value = source.number(row[column], f"{column} of {case}")
            yield Imported(case, region, metric, value, scored(value), in_target=not lacks)


def without_summary(rows: Iterable[dict[str, str]], key: str, summary: Collection[str]) -> list[dict[str, str]]:
    """The rows of cases, without the mean and its kin below them."""
    return [row for row in rows if row[key] not in summary]
