"""The two tables of Li, Zhao, Zhang: Dice and HD95, whole and lesion by lesion, of ET, TC, WT."""

import math
from dataclasses import dataclass

from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.study.load import LoadedStudy

REGIONS = ("ET", "TC", "WT")
TABLES = (
    ("Dice and lesion-wise Dice", ("dice", "lesion_dice")),
    ("HD95 and lesion-wise HD95", ("hd95", "lesion_hd95")),
)
LEARNT = ("lrrnet", ">image(")  # what a plan says that learns a fused image

# The paper's numbers as far as we know them: (arm of recipes/brats_men_whether.yaml, metric, region) -> points or mm.
# Its full tables are not public; what stands here is quoted in our method, and no other number is invented.
PRINTED: dict[tuple[str, str, str], tuple[float, str]] = {
    ("A", "dice", "ET"): (77.98, ""),
    ("A", "hd95", "ET"): (77.98, "misprint: the HD95 row of the baseline repeats its Dice values"),
    ("C 5e-7", "dice", "ET"): (21.16, ""),
    ("C segmentation only", "dice", "ET"): (50.70, ""),
}
MISPRINTS = (
    "Table 2's HD95 row of the baseline repeats the baseline's Dice values.",
    "The conclusion's best joint result (74.41, 70.84, 55.95) stands in no row of the tables.",
    "The Dice columns of “LRRNet then UNet” are very probably printed in reverse order (WT, TC, ET).",
    "The joint arms train the U-Net at 1e-4, the others at 1e-3; without a fusion loss ET already falls from 77.98 to "
    "50.70.",
    "λ = 5e-7 (ET 21.16) and no fusion loss (ET 50.70) are almost the same objective, one seed each, 30 points apart.",
)


@dataclass(frozen=True)
class Table:
    """One of the tables; ``cells`` are (arm, metric, region) to (our mean, what the paper printed, a note)."""

    title: str
    metrics: tuple[Metric, ...]
    cells: dict[tuple[str, str, str], tuple[str, str, str]]


def section(study: LoadedStudy) -> Section | None:
    """The tables; None where the study learns no fused image or scores other regions than the paper's."""
    fuses = any(sign in str(run.spec.get("plan", "")) for run in study.done for sign in LEARNT)
    if not fuses or not set(REGIONS) <= set(study.regions):
        return None
    beside = all(case.id.startswith("BraTS-MEN") for case in study.cases)
    found = [_table(study, title, names, beside) for title, names in TABLES if set(names) & set(study.metrics)]
    html = render(
        "section/paper_tables.html", study=study, tables=found, beside=beside, regions=REGIONS, misprints=MISPRINTS
    )
    return Section("paper", "The paper's tables", html) if found else None


def _table(study: LoadedStudy, title: str, names: tuple[str, ...], beside: bool) -> Table:
    metrics = tuple(metric_named(name) for name in names if name in study.metrics)
    cells = {}
    for arm in study.arms:
        for metric in metrics:
            for region in REGIONS:
                mean = study.arm_means.get((arm.name, metric.name, region))
                printed, note = (
                    PRINTED.get((arm.name, metric.name, region), (math.nan, "")) if beside else (math.nan, "")
                )
                theirs = "" if math.isnan(printed) else f"{printed:.2f}"
                cells[arm.name, metric.name, region] = (metric.text(mean.mean if mean else math.nan), theirs, note)
    return Table(title, metrics, cells)
