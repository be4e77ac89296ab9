"""Where every number comes from: data, split, runs with seed and digest, versions, each case's scores."""

import math

from mrfusion.report.metric import metric_named
from mrfusion.report.part import MOST_CASES, Section, render
from mrfusion.study.load import LoadedStudy


def section(study: LoadedStudy) -> Section:
    """The appendix; there is always one, for it also says which runs are missing."""
    folds: dict[str, set[int]] = {}
    for row in study.scores:
        folds.setdefault(row.case, set()).add(row.fold)
    html = render(
        "section/appendix.html",
        study=study,
        folds=folds,
        versions=_versions(study),
        commands=dict.fromkeys(str(run.environment["command"]) for run in study.done if "command" in run.environment),
        losses=_losses(study),
        metrics=[metric_named(name) for name in study.metrics] if len(folds) <= MOST_CASES else [],
        values={(r.metric, r.case, r.region, r.arm): r for r in study.case_rows},
        problems=[run for run in study.runs if run.state == "unreadable"],
        seconds=lambda run: float(run.environment.get("train_seconds") or math.nan),
    )
    return Section("appendix", "Appendix", html)


def _versions(study: LoadedStudy) -> list[tuple[str, str]]:
    """(package, versions that the runs used); more than one version of a package is worth seeing."""
    found: dict[str, set[str]] = {}
    for run in study.done:
        versions = run.environment.get("versions")
        for package, version in versions.items() if isinstance(versions, dict) else ():
            found.setdefault(str(package), set()).add(str(version))
    return [(package, ", ".join(sorted(versions))) for package, versions in sorted(found.items())]


def _losses(study: LoadedStudy) -> list[tuple[str, str]]:
    """(loss, what its runs recorded of it), such as the weights that a fusion loss compares images by."""
    found = [run.environment.get("losses") for run in study.done]
    rows = [(name, facts) for each in found if isinstance(each, dict) for name, facts in each.items()]
    return list(dict.fromkeys(
        (f"Loss {name}, {key}", str(value)) for name, facts in rows if isinstance(facts, dict)
        for key, value in facts.items()
    ))  # fmt: skip
