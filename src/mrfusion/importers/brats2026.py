"""The tables of the BraTS evaluation package of 2026: subject_id, then one column a number and region."""

from mrfusion.importers._base import Imported, Source, cells, without_summary
from mrfusion.importers._columns_2026 import METS, SEG, SUMMARY

_MARK = "all_instance_tp_"


def fits(source: Source) -> bool:
    """Whether the header is the package's."""
    return source.columns[:1] == ("subject_id",) and any(name.startswith(_MARK) for name in source.columns)


def brats2026(source: Source) -> list[Imported]:
    """Every number of every case; its mean, std and median are passed over, an infinite HD95 is undefined."""
    if not fits(source):
        raise source.refuse("a table of the BraTS package of 2026 (subject_id, all_instance_tp_et, ...)")
    regions = [name.removeprefix(_MARK) for name in source.columns if name.startswith(_MARK)]
    metrics = METS if any(name.startswith("large_instance_") for name in source.columns) else SEG
    found: list[Imported] = []
    for row in without_summary(source.rows, "subject_id", SUMMARY):
        case = row["subject_id"].removesuffix(".gz").removesuffix(".nii")
        for region in regions:
            hits = (source.number(row[f"all_instance_{what}_{region}"], f"{what} of {case}") for what in ("tp", "fn"))
            named = {f"{column}_{region}": metric for column, metric in metrics.items()}
            found += cells(source, row, case=case, region=region.upper(), columns=named, lacks=sum(hits) == 0)
    return found
