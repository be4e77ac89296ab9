"""The two tables of the challenge's evaluation package of 2026, out of tidy scores under ``brats2026-*`` rules.

One row a case, one column a number and region, then the rows mean, std and median; column names, empty cells and
infinities are those of the package (BraTS_evaluation 0.0.10), whose answers they are compared with. On grids of 1 mm,
the challenge's, they are the same numbers. On other grids they are not: there the package counts voxels instead of
millimetres for whole regions, and turns the order of the voxel sizes round for lesions; ours stay in millimetres.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mrfusion.errors import SpecError
from mrfusion.families import parse
from mrfusion.files import write_rows
from mrfusion.importers._columns_2026 import SUMMARY, TABLES, WHOLE
from mrfusion.result import CaseScore
from mrfusion.rules import Rule


def table(scores: Sequence[CaseScore], rule: Rule, kind: str) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Header and rows of one table; a number that does not exist is an empty cell."""
    columns = TABLES[kind]
    values = {(s.case, s.region, s.metric): s.value for s in scores}
    cases = list(dict.fromkeys(s.case for s in scores))
    regions = [region.name for region in rule.regions]
    header = ("subject_id", *(f"{column}_{name.lower()}" for name in regions for column in columns))
    numbers = np.array(
        [
            [_cell(values, (case, name), column, metric) for name in regions for column, metric in columns.items()]
            for case in cases
        ]
    )
    rows = [(case, *map(_written, row)) for case, row in zip(cases, numbers, strict=True)]
    return header, rows + [(name, *map(_written, row)) for name, row in zip(SUMMARY, _summary(numbers), strict=True)]


def write_tables_2026(place: Path, scores: Sequence[CaseScore], rule: Rule) -> list[Path]:
    """Write ``<place>_seg.csv`` and, where the rules part lesions by size, ``<place>_mets.csv``; returns their places.

    SpecError where the scores lack a metric of the tables: they must come from all that the rules report.
    """
    if not rule.metrics:
        raise SpecError(
            f"--format brats2026: the rules {rule.name} are none of the package's; choose brats2026-GLI, ..."
        )
    wanted = {str(parse(text)) for text in rule.metrics}
    known = {score.metric for score in scores}
    kinds = [kind for kind, columns in TABLES.items() if set(columns.values()) <= wanted]
    lacking = [metric for kind in kinds for metric in TABLES[kind].values() if metric not in known]
    if lacking:
        raise SpecError(f"--format brats2026 needs every metric of the rules, but {lacking[0]} was not asked for; "
                        "leave --metrics out")  # fmt: skip
    written = []
    for kind in kinds:
        path = place.with_name(f"{place.stem}_{kind}.csv")
        write_rows(path, *table(scores, rule, kind))
        written.append(path)
    return written


def _cell(values: Mapping[tuple[str, str, str], float], place: tuple[str, str], column: str, metric: str) -> float:
    """The number of one cell; of a region that is in neither mask the package says nothing as a whole."""
    if column in WHOLE and not any(values[*place, f"instance_{name}"] for name in ("tp", "fp", "fn")):
        return math.nan
    return values[*place, metric]


def _summary(numbers: np.ndarray) -> list[list[float]]:
    """Mean, standard deviation of a sample and median of each column over the cases with a number."""
    columns = [column[~np.isnan(column)] for column in numbers.T]
    with np.errstate(invalid="ignore"):  # an infinite HD95 makes the mean infinite and the deviation none
        return [
            [float(c.mean()) if len(c) else math.nan for c in columns],
            [float(c.std(ddof=1)) if len(c) > 1 else math.nan for c in columns],
            [float(np.median(c)) if len(c) else math.nan for c in columns],
        ]


def _written(number: float) -> object:
    return "" if math.isnan(number) else float(number)
