"""What was scored on all test cases of a run together (a classification's AUC, F1, ...): a mean over runs per arm."""

import math
from dataclasses import dataclass

from mrfusion.report.metric import Metric, metric_named
from mrfusion.report.part import Section, render
from mrfusion.study.load import LoadedStudy
from mrfusion.study.load_run import ALL


@dataclass(frozen=True)
class Spread:
    """One arm and metric: the mean over the runs with a value, the lowest and the highest, in words."""

    mean: str
    range: str
    runs: int


def section(study: LoadedStudy) -> Section | None:
    """The table; None where every score is of a single case, as in a segmentation."""
    found = dict.fromkeys(metric for run in study.done for region, metric, _ in run.cohort_scores if region == ALL)
    if not found:
        return None
    metrics = [metric_named(name, "class_metrics") for name in found]
    cells = {(arm.name, m.name): _spread(study, arm.name, m) for arm in study.arms for m in metrics}
    html = render("section/cohort.html", study=study, metrics=metrics, cells=cells)
    return Section("cohort", "All test cases together", html)


def _spread(study: LoadedStudy, arm: str, metric: Metric) -> Spread:
    scores = (score for run in study.runs_of(arm) for score in run.cohort_scores)
    values = [v for region, name, v in scores if (region, name) == (ALL, metric.name) and not math.isnan(v)]
    if not values:
        return Spread(metric.text(math.nan), "", 0)
    return Spread(metric.text(sum(values) / len(values)), metric.range(min(values), max(values)), len(values))
