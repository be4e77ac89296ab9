"""A tidy table, one number a row: case, value, and where they are known arm, patient, fold, seed, region, metric."""

from mrfusion.importers._base import Imported, Source
from mrfusion.importers._records import from_records

NEEDED = ("case", "value")


def fits(source: Source) -> bool:
    """Whether there is a case and a value in each row, and the columns of no other tool."""
    return set(NEEDED) <= set(source.columns)


def tidy(source: Source) -> list[Imported]:
    """Every number; without a column region all numbers are of one region, without metric they are Dice."""
    if not fits(source):
        raise source.refuse(
            "a tidy table with the columns case and value (and arm, patient, fold, seed, region, metric)"
        )
    return list(from_records(source.rows, str(source.path)))
