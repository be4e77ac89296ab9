"""The two tables of Li, Zhao, Zhang: Dice and HD95, whole and lesion by lesion, of ET, TC, WT."""

import math
from dataclasses import dataclass

from mrfusion.report import printed
from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.printed import REGIONS
from mrfusion.study.load import LoadedStudy

TABLES = (
    ("Dice and lesion-wise Dice", ("dice", "lesion_dice")),
    ("HD95 and lesion-wise HD95", ("hd95", "lesion_hd95")),
)
LEARNT = ("lrrnet", ">image(")  # what a plan says that learns a fused image


@dataclass(frozen=True)
class Cell:
    """Our mean, what the paper printed, and the number of the doubt about it (0: none) with its words."""

    ours: str
    theirs: str
    number: int
    doubt: str


@dataclass(frozen=True)
class Table:
    """One of the tables: a row for each arm of the study, and beside the paper's data for each of its own."""

    title: str
    metrics: tuple[Metric, ...]
    rows: dict[str, list[Cell]]


def section(study: LoadedStudy) -> Section | None:
    """The tables; None where the study learns no fused image or scores other regions than the paper's."""
    fuses = any(sign in str(run.spec.get("plan", "")) for run in study.done for sign in LEARNT)
    if not fuses or not set(REGIONS) <= set(study.regions):
        return None
    beside = all(case.id.startswith("BraTS-MEN") for case in study.cases)
    found = [_table(study, title, names, beside) for title, names in TABLES if set(names) & set(study.metrics)]
    html = render(
        "section/paper_tables.html",
        tables=found,
        beside=beside,
        regions=REGIONS,
        doubts=list(printed.DOUBTS.values()),
        asides=printed.ASIDES,
    )
    return Section("paper", "The paper's tables", html) if found else None


def _table(study: LoadedStudy, title: str, names: tuple[str, ...], beside: bool) -> Table:
    """The paper's table in full where its numbers stand ``beside`` ours; otherwise what the study has scored."""
    metrics = tuple(metric_named(name) for name in names if beside or name in study.metrics)
    arms = dict.fromkeys([arm.name for arm in study.arms] + (list(printed.PRINTED) if beside else []))
    rows = {
        arm: [_cell(study, arm, metric, region, beside) for metric in metrics for region in REGIONS] for arm in arms
    }
    return Table(title, metrics, rows)


def _cell(study: LoadedStudy, arm: str, metric: Metric, region: str, beside: bool) -> Cell:
    mean = study.arm_means.get((arm, metric.name, region))
    theirs, key = printed.cell(arm, metric.name, region) if beside else ("", "")
    number = list(printed.DOUBTS).index(key) + 1 if key else 0
    return Cell(metric.text(mean.mean if mean else math.nan), theirs, number, printed.DOUBTS.get(key, ""))
