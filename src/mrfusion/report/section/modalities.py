"""Missing modalities: a heat map of every subset an arm was scored on, the worst, and what each modality is worth."""

import math
from dataclasses import dataclass

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.shapley import Worth
from mrfusion.comparison.subset_scores import SubsetMean
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.scale import Scale, scale_of
from mrfusion.report.subsets import ArmSubsets, dedicated, load_subsets
from mrfusion.study.load import LoadedStudy

PALEST, DARKEST = 4, 46  # percent of the accent colour, dark enough to tell and pale enough to read on


@dataclass(frozen=True)
class Cell:
    """One number of the heat map; ``shade`` in percent of the accent colour."""

    row: SubsetMean
    shade: int
    worst: bool


@dataclass(frozen=True)
class Line:
    """One subset: which modalities are present, a cell a region, and the arms that were trained on just these."""

    present: tuple[str, ...]
    cells: tuple[Cell, ...]
    rivals: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class HeatMap:
    """What one arm shows: its lines, regions, the mean and the worst over subsets, and the modalities' worth."""

    arm: ArmSubsets
    metric: Metric
    regions: tuple[str, ...]
    lines: tuple[Line, ...]
    mean: float
    full: SubsetMean
    worst: SubsetMean
    worths: tuple[Worth, ...]
    scale: Scale

    @property
    def has_rivals(self) -> bool:
        """Whether any subset has an arm of its own."""
        return any(line.rivals for line in self.lines)

    @property
    def alt(self) -> str:
        """The heat map in words."""
        return (
            f"{self.metric.title} of {self.arm.arm} for {len(self.lines)} subsets of its modalities: "
            f"{self.metric.text(self.full.mean)} with all, {self.metric.text(self.mean)} in the mean over subsets, "
            f"{self.metric.text(self.worst.mean)} with {' and '.join(self.worst.present)} alone, the worst"
        )


def section(study: LoadedStudy) -> Section | None:
    """The section; None where no run was scored on subsets."""
    maps = [_heat_map(study, arm) for arm in load_subsets(study)]
    if not maps:
        return None
    return Section("modalities", "Missing modalities", render("section/modalities.html", maps=maps, several=len(maps)))


def _heat_map(study: LoadedStudy, arm: ArmSubsets) -> HeatMap:
    found, metric = arm.summary, metric_named(arm.summary.metrics[0])
    regions = tuple(sorted(found.regions, key=lambda name: name != MEAN))
    columns = [found.of(metric.name, region) for region in regions]
    values = [row.mean for column in columns for row in column if not math.isnan(row.mean)]
    low, high = min(values), max(values)
    worst = [found.worst(metric.name, region) for region in regions]
    lines = tuple(
        Line(
            rows[0].present,
            tuple(Cell(row, _shade(row.mean, low, high), row is least) for row, least in zip(rows, worst, strict=True)),
            tuple(_rivals(study, arm, metric, rows[0].present)),
        )
        for rows in zip(*columns, strict=True)
    )
    worths = found.worth_of(metric.name, regions[0])
    ends = [value for worth in worths for value in (worth.value, worth.low, worth.high)]
    mean = math.fsum(row.mean for row in columns[0]) / len(columns[0])
    return HeatMap(arm, metric, regions, lines, mean, columns[0][-1], worst[0], worths, scale_of([0.0, *ends]))


def _rivals(study: LoadedStudy, arm: ArmSubsets, metric: Metric, present: tuple[str, ...]) -> list[tuple[str, float]]:
    """The arms that were trained on just these modalities, with their means over regions."""
    names = [name for name in dedicated(study, present) if name != arm.arm]
    means = [(name, study.arm_means.get((name, metric.name, MEAN))) for name in names]
    return [(name, mean.mean) for name, mean in means if mean is not None]


def _shade(value: float, low: float, high: float) -> int:
    share = (value - low) / (high - low) if high > low and not math.isnan(value) else 0.0
    return round(PALEST + (DARKEST - PALEST) * share)
