"""The table of arms: mean over patients with its interval, per region, with what was counted and what was left out."""

from mrfusion.comparison.aggregate import MEAN
from mrfusion.report.metric import metric_named
from mrfusion.report.part import Section, render
from mrfusion.result import CONTRADICTORY
from mrfusion.study.load import LoadedStudy


def section(study: LoadedStudy) -> Section | None:
    """One table per metric; None without scores."""
    if not study.metrics:
        return None
    metrics = [metric_named(name) for name in study.metrics]
    regions = [*([MEAN] if len(study.regions) > 1 else []), *study.regions]
    best = {(m.name, region): _best(study, m.name, region) for m in metrics for region in regions}
    told = [(arm.name, *_contradictory(study, arm.name)) for arm in study.arms]
    told = [one for one in told if one[1]]
    html = render(
        "section/arms.html", contradictory=told, study=study, metrics=metrics, regions=regions, best=best, MEAN=MEAN
    )
    return Section("arms", "Arms", html)


def _contradictory(study: LoadedStudy, arm: str) -> tuple[int, int]:
    """How many voxels of an arm's regions contradicted others and were painted over, and in how many cases."""
    rows = [row for row in study.scores if row.arm == arm and row.metric == CONTRADICTORY and row.value > 0]
    return round(sum(row.value for row in rows)), len({row.case for row in rows})


def _best(study: LoadedStudy, metric: str, region: str) -> float:
    """The best mean of the column."""
    means = (study.arm_means.get((arm.name, metric, region)) for arm in study.arms)
    return max((m.mean for m in means if m), key=metric_named(metric).merit, default=float("nan"))
