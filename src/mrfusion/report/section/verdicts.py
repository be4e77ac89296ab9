"""Every comparison: each arm against the reference in every region and metric, with what its verdict rests on."""

from collections.abc import Sequence
from functools import partial

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import Comparison
from mrfusion.report.caution import reasons
from mrfusion.report.metric import metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.sentence import SIGNS, of_metric, p_value
from mrfusion.study.load import LoadedStudy


def section(study: LoadedStudy) -> Section | None:
    """One table per metric; None where nothing is compared."""
    tables = [(metric_named(name), of_metric(study, name)) for name in study.compared_metrics]
    tables = [(metric, rows) for metric, rows in tables if rows]
    if not tables:
        return None
    others = {row.family for row in study.comparisons if row.family.startswith("other ")}
    shared = {metric.name: _shared(rows) for metric, rows in tables}
    values = {
        "study": study,
        "tables": tables,
        "shared": shared,
        "p": p_value,
        "signs": SIGNS,
        "MEAN": MEAN,
        "others": others,
    }
    html = render("section/verdicts.html", **values, exploratory=partial(reasons, study))
    return Section("verdicts", "Verdicts", html)


def _shared(rows: Sequence[Comparison]) -> list[str]:
    """What has to be said of every row of a table of several, so that it is said once."""
    said = [(*row.reasons, *row.notes) for row in rows]
    return [why for why in said[0] if all(why in others for others in said)] if len(rows) > 2 else []
