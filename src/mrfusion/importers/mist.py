"""MIST's results.csv: id, then one column a class and metric, then Mean, Std and percentiles below the cases.

The names are those of MIST's registry of metrics (mist/metrics/metrics_registry.py).
"""

from mrfusion.importers._base import Imported, Source, cells, without_summary

METRICS = {"dice": "dice", "haus95": "hd95", "surf_dice": "nsd", "avg_surf": "assd", "lesion_wise_dice": "lesion_dice",
           "lesion_wise_haus95": "lesion_hd95", "lesion_wise_surf_dice": None}  # fmt: skip
SUMMARY = ("Mean", "Std", "25th Percentile", "Median", "75th Percentile")


def fits(source: Source) -> bool:
    """Whether the first column is id and every other ends with a metric of MIST's."""
    return source.columns[:1] == ("id",) and len(source.columns) > 1 and all(map(_parts, source.columns[1:]))


def mist(source: Source) -> list[Imported]:
    """Every number of every case, metrics under our names.

    The summary below the cases is passed over, and lesion_wise_surf_dice: none of our metrics means the same.
    """
    if not fits(source):
        raise source.refuse("MIST's results.csv (id, <class>_dice, <class>_haus95, ...)")
    found: list[Imported] = []
    for row in without_summary(source.rows, "id", SUMMARY):
        for column in source.columns[1:]:
            region, metric = _parts(column) or ("", None)
            if metric is not None:
                found += cells(source, row, case=row["id"], region=region, columns={column: metric})
    return found


def _parts(column: str) -> tuple[str, str | None] | None:
    """Class and our metric of a column, None for a metric that we lack; the longest metric that ends it counts."""
    ends = [name for name in METRICS if column.endswith(f"_{name}") and len(column) > len(name) + 1]
    longest = max(ends, key=len, default=None)
    return (column[: -len(longest) - 1], METRICS[longest]) if longest else None
