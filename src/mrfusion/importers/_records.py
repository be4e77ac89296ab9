"""Rows that are mappings, from a tidy table or from a program, as scores."""

from collections.abc import Iterable, Mapping
from math import isfinite, nan
from typing import Any, get_args

from mrfusion.errors import InputError
from mrfusion.files import known
from mrfusion.importers._base import Imported, scored
from mrfusion.result import TARGET_VOLUME, Status

_IN_TARGET = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "": True}


def from_records(records: Iterable[Mapping[str, Any]], where: str) -> list[Imported]:
    """The same of rows that are mappings from a column's name to its cell; InputError names ``where`` and the row."""
    found = []
    for number, record in enumerate(records, 1):
        try:
            found.append(_row(record))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
            raise InputError(
                f"{where}, row {number}: expected one score (case, value; arm, patient, fold, seed, region, metric), "
                f"found {reason}"
            ) from None
    absent = {(row.case, row.region) for row in found if row.metric == TARGET_VOLUME and row.value == 0}
    return [_lacking(row) if (row.case, row.region) in absent else row for row in found]


def _row(record: Mapping[str, Any]) -> Imported:
    cell = record["value"]
    value = nan if cell is None or known(str(cell)) == "" else _number(cell)
    status = str(record.get("status") or scored(value))
    if status not in get_args(Status):
        raise ValueError(f"the status {status!r}, which is none of {', '.join(get_args(Status))}")
    return Imported(
        case=_text(record["case"]),
        region=known(_text(record.get("region"))) or "*",
        metric=known(_text(record.get("metric"))) or "dice",
        value=value if isfinite(value) else nan,
        status="undefined" if scored(value) == "undefined" else status,  # type: ignore[arg-type]
        in_target=_IN_TARGET[str(record.get("in_target", "")).lower()],
        arm=_text(record.get("arm")) or None,
        patient=_text(record.get("patient")) or None,
        fold=_whole(record.get("fold")),
        seed=_whole(record.get("seed")),
    )


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except ValueError:
        comma = "; numbers are written with a decimal point, 0.5" if "," in str(cell) else ", which is no number"
        raise ValueError(f"the value {cell!r}{comma}") from None


def _lacking(row: Imported) -> Imported:
    return Imported(**{**vars(row), "in_target": False})


def _text(cell: Any) -> str:
    return "" if cell is None or str(cell) in ("nan", "<NA>") else str(cell).strip()


def _whole(cell: Any) -> int | None:
    if _text(cell) == "":
        return None
    if float(cell) != int(float(cell)):
        raise ValueError(f"{cell!r} for a fold or a seed, which are whole numbers")
    return int(float(cell))
