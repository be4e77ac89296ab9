"""Scores of runs as tables whose unit is the patient: case means, arm means with intervals, paired differences.

Every table starts from tidy :class:`ScoreRow` s. A case's value is the mean over the runs (seeds) that tested it, a
patient's the mean over the patient's cases, an arm's the mean over patients. Undefined scores (NaN) stay out of every
mean and are counted beside it. The region :data:`MEAN` is, within one run and case, the mean over the regions that
have a value.

Intervals here are over patients and describe one arm as it was trained; whether two arms differ is not
decided here.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mrfusion.comparison.interval import mean_interval
from mrfusion.comparison.proportion import clopper_pearson
from mrfusion.comparison.verdict import within_range
from mrfusion.result import ScoreRow, Status

MEAN = "mean"
Row = TypeVar("Row")
_WORST: tuple[Status, ...] = ("scored", "penalised", "undefined")


@dataclass(frozen=True)
class CaseRow:
    """One case under one arm: the mean over its ``runs`` with a value (NaN where none has) and the worst status."""

    arm: str
    region: str
    metric: str
    case: str
    patient: str
    value: float
    runs: int
    status: Status
    in_target: bool


@dataclass(frozen=True)
class ArmMean:
    """One arm, region and metric: the mean over patients and how it came about.

    ``low`` to ``high`` is the 95 % interval over patients (Student's,
    corrected for skewness, NaN below two patients; of shares of right answers Clopper and Pearson's). ``scored``,
    ``penalised`` and ``undefined`` count single scores. ``without_region`` counts cases whose target lacks the region;
    ``mean_with_region`` is the mean with those cases left out.
    """

    arm: str
    region: str
    metric: str
    mean: float
    low: float
    high: float
    patients: int
    seeds: int
    folds: int
    scored: int
    penalised: int
    undefined: int
    without_region: int
    mean_with_region: float


@dataclass(frozen=True)
class PairedRow:
    """One case under an arm and under the reference; ``difference`` is arm minus reference."""

    arm: str
    region: str
    metric: str
    case: str
    patient: str
    value: float
    reference: float

    @property
    def difference(self) -> float:
        """Arm minus reference, in the metric's own unit."""
        return self.value - self.reference


def with_mean_region(rows: Iterable[ScoreRow]) -> list[ScoreRow]:
    """The rows, and after them the MEAN over regions of every run, case and metric."""
    given = list(rows)
    groups = _grouped(given, lambda r: (r.arm, r.fold, r.seed, r.case, r.metric))
    return given + [_over_regions(group) for group in groups.values()]


def case_table(rows: Iterable[ScoreRow]) -> list[CaseRow]:
    """One row per arm, metric, region (MEAN last) and case, in the order in which they first appear."""
    groups = _grouped(with_mean_region(rows), lambda r: (r.arm, r.metric, r.region, r.case))
    return [_case_row(group) for group in groups.values()]


def patient_means(rows: Iterable[CaseRow]) -> dict[str, float]:
    """Patient to mean over the patient's cases with a value; patients without one are left out.

    The rows must be of one arm, region and metric.
    """
    groups = _grouped((r for r in rows if not math.isnan(r.value)), lambda r: r.patient)
    return {patient: _mean(r.value for r in group) for patient, group in groups.items()}


def arm_means(rows: Iterable[ScoreRow]) -> list[ArmMean]:
    """One row per arm, metric and region (MEAN last); see :class:`ArmMean`."""
    given = list(rows)
    singles = _grouped(with_mean_region(given), lambda r: (r.arm, r.metric, r.region))
    cases = _grouped(case_table(given), lambda r: (r.arm, r.metric, r.region))
    return [_arm_mean(singles[key], cases[key], _counted(given, key)) for key in singles]


def paired(rows: Sequence[CaseRow], reference: str) -> list[PairedRow]:
    """Every case that has a value under an arm and under the reference; the reference itself is left out."""
    values = {(r.metric, r.region, r.case): r.value for r in rows if r.arm == reference and not math.isnan(r.value)}
    return [
        PairedRow(r.arm, r.region, r.metric, r.case, r.patient, r.value, values[r.metric, r.region, r.case])
        for r in rows
        if r.arm != reference and not math.isnan(r.value) and (r.metric, r.region, r.case) in values
    ]


def mean_differences(rows: Iterable[PairedRow]) -> dict[tuple[str, str, str], float]:
    """(arm, metric, region) to the mean over patients of arm minus reference; a description, not a test."""
    groups = _grouped(rows, lambda r: (r.arm, r.metric, r.region))
    return {key: _mean_over_patients(group) for key, group in groups.items()}


def _over_regions(group: Sequence[ScoreRow]) -> ScoreRow:
    value = _mean(r.value for r in group if not math.isnan(r.value))
    present = any(r.in_target for r in group)
    return replace(group[0], region=MEAN, value=value, status=_worst(group), in_target=present)


def _case_row(group: Sequence[ScoreRow]) -> CaseRow:
    first = group[0]
    values = [r.value for r in group if not math.isnan(r.value)]
    return CaseRow(
        arm=first.arm,
        region=first.region,
        metric=first.metric,
        case=first.case,
        patient=first.patient,
        value=_mean(values),
        runs=len(values),
        status=_worst(group),
        in_target=first.in_target,
    )


def _arm_mean(singles: Sequence[ScoreRow], cases: Sequence[CaseRow], counted: Sequence[ScoreRow]) -> ArmMean:
    values = list(patient_means(cases).values())
    metric = singles[0].metric
    low, high = clopper_pearson(values) if metric == "correct" else within_range(metric, *mean_interval(values))
    return ArmMean(
        arm=singles[0].arm,
        region=singles[0].region,
        metric=metric,
        mean=_mean(values),
        low=low,
        high=high,
        patients=len(values),
        seeds=len({r.seed for r in singles}),
        folds=len({r.fold for r in singles}),
        scored=sum(r.status == "scored" for r in counted),
        penalised=sum(r.status == "penalised" for r in counted),
        undefined=sum(r.status == "undefined" for r in counted),
        without_region=sum(not r.in_target for r in cases),
        mean_with_region=_mean(patient_means(r for r in cases if r.in_target).values()),
    )


def _counted(rows: Iterable[ScoreRow], key: tuple[str, str, str]) -> list[ScoreRow]:
    """The single scores that a mean counts; the MEAN region counts those of all its regions."""
    arm, metric, region = key
    return [r for r in rows if r.arm == arm and r.metric == metric and region in (r.region, MEAN)]


def _mean_over_patients(group: Sequence[PairedRow]) -> float:
    patients = _grouped(group, lambda r: r.patient)
    return _mean(_mean(r.difference for r in rows) for rows in patients.values())


def _worst(group: Sequence[ScoreRow]) -> Status:
    return max((r.status for r in group), key=_WORST.index)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return math.fsum(numbers) / len(numbers) if numbers else math.nan


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> Mapping[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
