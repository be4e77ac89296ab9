"""What the scores of all subsets of modalities say of subsets and of single modalities."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mrfusion.comparison.aggregate import CaseRow, case_table, patient_means
from mrfusion.comparison.interval import mean_interval
from mrfusion.comparison.shapley import Subset, Worth, subsets, worths
from mrfusion.comparison.verdict import within_range
from mrfusion.result import ScoreRow

NOTHING = "none"  # the answer without any image: an empty mask, or all classes alike


@dataclass(frozen=True)
class SubsetMean:
    """One subset, metric and region: the mean over patients, and how much less that is than with all modalities.

    Intervals are over patients, of 95 %; that of ``drop`` is of the patients' own differences.
    """

    present: tuple[str, ...]
    metric: str
    region: str
    mean: float
    low: float
    high: float
    drop: float
    drop_low: float
    drop_high: float
    patients: int


@dataclass(frozen=True)
class ModalityWorth:
    """What a modality is worth by one metric in one region: its Shapley value, in the metric's unit."""

    metric: str
    region: str
    worth: Worth


@dataclass(frozen=True)
class SubsetSummary:
    """Every subset's means, the fewest modalities first, and every modality's worth, the worthiest first.

    The region ``mean`` is the mean over a case's regions. Scores are those of metrics that are better when higher.
    """

    modalities: tuple[str, ...]
    means: tuple[SubsetMean, ...]
    worths: tuple[ModalityWorth, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those there are scores of, the first one first."""
        return tuple(dict.fromkeys(row.metric for row in self.means))

    @property
    def regions(self) -> tuple[str, ...]:
        """Those there are scores of; their mean comes last, and is left out where it is that of a single one."""
        found = tuple(dict.fromkeys(row.region for row in self.means))
        return found if len(found) > 2 else found[:1]

    def of(self, metric: str, region: str) -> tuple[SubsetMean, ...]:
        """The subsets by one metric in one region."""
        return tuple(row for row in self.means if (row.metric, row.region) == (metric, region))

    def worst(self, metric: str, region: str) -> SubsetMean:
        """The subset with the least mean."""
        return min(self.of(metric, region), key=lambda row: math.inf if math.isnan(row.mean) else row.mean)

    def worth_of(self, metric: str, region: str) -> tuple[Worth, ...]:
        """The modalities by one metric in one region, the worthiest first."""
        return tuple(row.worth for row in self.worths if (row.metric, row.region) == (metric, region))

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        places = [(metric, region) for metric in self.metrics for region in self.regions]
        return {
            "modalities": self.modalities,
            "subsets": [asdict(row) for row in self.means if row.region in self.regions],
            "worst": [asdict(self.worst(*place)) for place in places],
            "shapley": [
                {"metric": metric, "region": region, **asdict(worth)}
                for metric, region in places
                for worth in self.worth_of(metric, region)
            ],
        }


def text_of(subset: Iterable[str], modalities: Sequence[str]) -> str:
    """``t1n+t1c``, in the order of ``modalities``; ``none`` for the empty subset."""
    chosen = set(subset)
    return "+".join(name for name in modalities if name in chosen) or NOTHING


def summarise_subsets(rows: Iterable[ScoreRow], modalities: Sequence[str]) -> SubsetSummary:
    """What the scores of all subsets say, of one run or of several of one arm; the unit is the patient.

    InputError where the scores of a subset are missing.
    """
    table: dict[tuple[str, str], dict[str, list[CaseRow]]] = {}
    for row in case_table(rows):
        table.setdefault((row.metric, row.region), {}).setdefault(row.arm, []).append(row)
    patients = {place: {arm: patient_means(found) for arm, found in arms.items()} for place, arms in table.items()}
    means = [row for place, found in patients.items() for row in _means(place, found, modalities)]
    values = [row for place, found in patients.items() for row in _worths(place, found, modalities)]
    return SubsetSummary(tuple(modalities), tuple(means), tuple(values))


def _means(
    place: tuple[str, str], found: Mapping[str, Mapping[str, float]], modalities: Sequence[str]
) -> list[SubsetMean]:
    full = found.get(text_of(modalities, modalities), {})
    return [_mean(place, subset, found.get(text_of(subset, modalities), {}), full, modalities=modalities)
            for subset in subsets(modalities)[1:]]  # fmt: skip


def _mean(
    place: tuple[str, str],
    subset: Subset,
    own: Mapping[str, float],
    full: Mapping[str, float],
    *,
    modalities: Sequence[str],
) -> SubsetMean:
    values = list(own.values())
    drops = [full[patient] - value for patient, value in own.items() if patient in full]
    present = tuple(name for name in modalities if name in subset)
    mean, low, high = _with_interval(values)
    return SubsetMean(present, *place, mean, *within_range(place[0], low, high), *_with_interval(drops), len(values))


def _with_interval(values: Sequence[float]) -> tuple[float, float, float]:
    return (math.fsum(values) / len(values) if values else math.nan, *mean_interval(values))


def _worths(
    place: tuple[str, str], found: Mapping[str, Mapping[str, float]], modalities: Sequence[str]
) -> list[ModalityWorth]:
    known = {subset: found[text_of(subset, modalities)] for subset in subsets(modalities)
             if text_of(subset, modalities) in found}  # fmt: skip
    patients = sorted({patient for values in known.values() for patient in values})
    scores = {s: np.array([values.get(p, math.nan) for p in patients]) for s, values in known.items()}
    if not np.all([np.isfinite(values) for values in scores.values()], axis=0).any():
        return []  # a metric without a value for an empty answer
    return [ModalityWorth(*place, worth) for worth in worths(scores, modalities)]
