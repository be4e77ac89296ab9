"""``scores.csv``: one score a row, of a run or of a whole study, with what was not scored told beside it.

A run's table has the columns of :data:`OF_A_RUN`, and ``scores.json`` beside it sums up and says which of its rows are
penalised or undefined. A study's has the same rows with their place in the study, and needs no file beside it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from mrfusion.errors import InputError
from mrfusion.files import read_json, read_rows, write_json, write_rows
from mrfusion.result import CaseScore, ScoreRow, Status

FILE = "scores.csv"
OF_A_RUN = ("case", "region", "metric", "value")
OF_A_STUDY = ("arm", "case", "patient", "fold", "seed", "region", "metric", "value", "status", "in_target")
_YES_NO = {"yes": True, "no": False}


def table_at(place: Path) -> Path:
    """The table that a user means by a CSV file, or by a folder."""
    return place if place.suffix == ".csv" else place / FILE


def write_scores(table: Path, scores: Sequence[CaseScore], summary: Mapping[str, Any]) -> None:
    """Write the table of a run and, beside it under the same name, its ``summary`` and what was not scored as JSON.

    Both are written whole or not at all.
    """
    write_rows(table, OF_A_RUN, [(s.case, s.region, s.metric, s.value) for s in scores])
    notes = [vars(s) for s in scores if s.status != "scored"]
    write_json(table.with_suffix(".json"), {"summary": summary, "not_scored": notes})


def read_scores(table: Path) -> list[CaseScore]:
    """The scores of a run; InputError where a file is absent, KeyError or ValueError where one is of another form."""
    notes = read_json(table.with_suffix(".json"))
    if not isinstance(notes, dict):
        raise InputError(f"expected a JSON object at {table.with_suffix('.json')}, found {type(notes).__name__}")
    told = {(n["case"], n["region"], n["metric"]): (_status(n["status"]), n.get("reason", ""))
            for n in notes["not_scored"]}  # fmt: skip
    found = []
    for row in read_rows(table, OF_A_RUN):
        key = row["case"], row["region"], row["metric"]
        found.append(CaseScore(*key, _value(row["value"]), *told.get(key, ("scored", ""))))
    return found


def write_study_scores(table: Path, rows: Iterable[ScoreRow]) -> None:
    """Write the long table of a study, whole or not at all; pandas and polars read it as it is."""
    words = {answer: word for word, answer in _YES_NO.items()}
    write_rows(table, OF_A_STUDY, (
        (r.arm, r.case, r.patient, r.fold, r.seed, r.region, r.metric, r.value, r.status, words[r.in_target])
        for r in rows
    ))  # fmt: skip


def read_study_scores(table: Path) -> list[ScoreRow]:
    """Read the long table of a study; InputError that names the file and the row where it is of another form."""
    found = []
    for number, row in enumerate(read_rows(table, OF_A_STUDY), 2):
        try:
            place = row["arm"], int(row["fold"]), int(row["seed"]), row["case"], row["patient"]
            value = _value(row["value"])
            status, in_target = _status(row["status"]), _YES_NO[row["in_target"]]
        except (KeyError, ValueError) as error:
            raise InputError(f"{table}, line {number}: expected a score of a study, found {error}") from None
        found.append(ScoreRow(*place, row["region"], row["metric"], value, status, in_target))
    return found


def _value(cell: str) -> float:
    """A finite number, or NaN for none."""
    value = float(cell or math.nan)
    if math.isinf(value):
        raise ValueError(f"expected a finite number or an empty cell as a value, found {cell!r}")
    return value


def _status(word: str) -> Status:
    if word not in get_args(Status):
        raise ValueError(f"expected {', '.join(get_args(Status))} as a status, found {word!r}")
    return word  # type: ignore[return-value]
