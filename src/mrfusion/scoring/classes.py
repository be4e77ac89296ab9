"""Scores of a classification: each case's probabilities, and what the class metrics say of all cases together.

A classification's metrics need many cases, so two kinds of rows stand in one list of CaseScores:

    case      region    metric                value
    P017      HGG       probability           0.83     one for each class of each case
    P017      *         correct               1        0 or 1; the mean over the cases is the accuracy
    *         *         balanced_accuracy     0.74     the cohort: case "*"
    *         HGG       f1                    0.80     the cohort, one class against the rest

A mean over cases must leave case "*" out: those rows are already about the cohort.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrfusion import families
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.errors import CaseError, InputError, nearest
from mrfusion.result import CaseScore, Value
from mrfusion.run_folder.probabilities import Answer, read_probabilities

FAMILY = "class_metrics"


@dataclass(frozen=True)
class ClassTable:
    """Which case got which votes; as a file see :mod:`mrfusion.run_folder.probabilities`."""

    case_ids: tuple[str, ...]
    votes: Votes


def score_classes(table: ClassTable, metrics: Sequence[str] | None = None) -> list[CaseScore]:
    """Rows of each case, then rows of the cohort for each of ``metrics`` (all of the family if None).

    A metric is named as in ``families.load``: ``"f1"``, ``"calibration_error(bins=10)"``.
    """
    wanted = families.names(FAMILY) if metrics is None else metrics
    return [*_case_rows(table), *(row for name in wanted for row in _cohort_rows(table.votes, name))]


def class_table(
    case_ids: Sequence[str],
    probabilities: Sequence[Sequence[float]] | np.ndarray,
    *,
    targets: Sequence[str],
    classes: Sequence[str],
) -> ClassTable:
    """The table of a prediction: probabilities ``(cases, classes)`` and each case's right class by name."""
    ids = tuple(case_ids)
    if len(set(ids)) < len(ids) or ALL in ids or len(ids) != len(targets):
        raise CaseError(
            f"expected {len(targets)} different case ids, one for each target and none called {ALL!r}, found {ids}"
        )
    where = {name: k for k, name in enumerate(classes)}
    for case_id, target in zip(ids, targets, strict=True):
        if target not in where:
            raise CaseError(f"case {case_id}: no class is called {target!r}; {nearest(target, where)}")
    index = np.array([where[target] for target in targets], np.intp)
    return ClassTable(ids, Votes(np.asarray(probabilities, np.float64), index, tuple(classes)))


def read_class_table(path: Path) -> ClassTable:
    """Read a table of probabilities whose right classes are known; InputError names the file and the case."""
    classes, answers = read_probabilities(path)
    unknown = [one.case for one in answers if not one.target]
    if unknown:
        raise InputError(
            f"{path}, case {unknown[0]}: the column target is empty; write the name of the right class there"
        )
    probabilities = [one.probabilities for one in answers]
    try:
        return class_table(
            [one.case for one in answers], probabilities, targets=[one.target for one in answers], classes=classes
        )
    except InputError as error:
        raise type(error)(f"{path}: {error}") from None


def answers_of(table: ClassTable) -> list[Answer]:
    """The table as rows of a file."""
    votes = table.votes
    lines = zip(table.case_ids, votes.targets, votes.probabilities, strict=True)
    return [Answer(case, votes.classes[target], tuple(map(float, line))) for case, target, line in lines]


def _case_rows(table: ClassTable) -> list[CaseScore]:
    votes = table.votes
    correct = votes.predicted == votes.targets
    rows = []
    for i, case in enumerate(table.case_ids):
        for name, probability in zip(votes.classes, votes.probabilities[i], strict=True):
            rows.append(CaseScore(case, name, "probability", float(probability)))
        rows.append(CaseScore(case, ALL, "correct", float(correct[i])))
    return rows


def _cohort_rows(votes: Votes, metric: str) -> list[CaseScore]:
    values: dict[str, Value] = families.load(FAMILY, metric)(votes)
    return [value.of(ALL, region, str(families.parse(metric))) for region, value in values.items()]
