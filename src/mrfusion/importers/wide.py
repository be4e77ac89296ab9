"""Any table with one row a case, and what its columns mean: wide(case=id,columns='dice_wt=WT dice')."""

from mrfusion.errors import SpecError, nearest
from mrfusion.importers._base import Imported, Source, cells


def fits(source: Source) -> bool:
    """Never: what the columns mean is the user's to say."""
    del source
    return False


def wide(source: Source, *, case: str, columns: str) -> list[Imported]:
    """The numbers of the columns that are named.

    Options:
        case: column that names the case
        columns: what each column holds, 'COLUMN=REGION METRIC' with commas between
    Example: wide(case=id,columns='dice_wt=WT dice,hd_wt=WT hd95')
    """
    if case not in source.columns:
        raise source.refuse(f"a table with the column {case}, which names the case")
    found: list[Imported] = []
    meaning = _meaning(columns)
    for column in meaning:
        if column not in source.columns:
            raise SpecError(f"wide: {source.path} has no column {column!r}; {nearest(column, source.columns)}")
    for row in source.rows:
        for column, (region, metric) in meaning.items():
            found += cells(source, row, case=row[case], region=region, columns={column: metric})
    return found


def _meaning(text: str) -> dict[str, tuple[str, str]]:
    found = {}
    for part in text.split(","):
        column, equals, meaning = part.strip().rpartition("=")
        region, space, metric = meaning.strip().rpartition(" ")
        if not (equals and space and column and region and metric):
            raise SpecError(f"wide: expected 'COLUMN=REGION METRIC' as in 'dice_wt=WT dice', found {part.strip()!r}")
        found[column.strip()] = (region.strip(), metric)
    return found
