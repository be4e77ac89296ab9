"""A table of scores in any form that people have: a file of another tool, a pandas or polars frame, a list of rows."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.errors import InputError
from mrfusion.importers._base import Imported, Source
from mrfusion.importers._records import from_records

FAMILY = "importers"


def read_table(path: Path, importer: str | None = None) -> list[Imported]:
    """The scores in a file; which tool wrote it is told by its content, or by the name of an ``importer``.

    Raises InputError where no importer knows the file, and SpecError for an importer that there is not.
    """
    source = Source(path)
    if importer is not None:
        return list(families.load(FAMILY, importer, {})(source))
    own = [name for name in families.names(FAMILY) if families.module_of(FAMILY, name).fits(source)]
    if len(own) != 1:
        known = ", ".join(families.names(FAMILY))
        found = f"what {' and '.join(own)} both read" if own else "none of these"
        raise source.refuse(
            f"a table that one of the importers knows ({known}; wide must be told its columns), {found}"
        )
    return list(families.load(FAMILY, own[0])(source))


def rows_of(table: Any) -> list[Imported]:
    """The scores of a frame of pandas or polars, of a list of mappings or of dataclasses such as ScoreRow, or a file.

    Raises InputError, naming the row, where one is no score.
    """
    if isinstance(table, str | Path):
        return read_table(Path(table))
    return from_records(_records(table), "the table")


def _records(table: Any) -> Iterable[Mapping[str, Any]]:
    if hasattr(table, "to_dicts"):  # polars
        return table.to_dicts()  # type: ignore[no-any-return]
    if hasattr(table, "to_dict") and hasattr(table, "columns"):  # pandas, and of it a frame
        return table.to_dict("records")  # type: ignore[no-any-return]
    if isinstance(table, Iterable):
        return [_record(row) for row in table]
    raise InputError(
        f"expected a frame of pandas or polars, rows or a file's path as a table, found {type(table).__name__}"
    )


def _record(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if is_dataclass(row) and not isinstance(row, type):
        return asdict(row) if not hasattr(row, "__dict__") else vars(row)
    raise InputError(f"expected rows that are mappings or ScoreRow, found {type(row).__name__}")
