"""The same trainings scored otherwise: what each arm reaches by every scoring, and the verdicts of the further ones."""

from collections.abc import Mapping
from typing import Any

from mrfusion.comparison.aggregate import MEAN
from mrfusion.report.metric import DASH, metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.section import verdicts
from mrfusion.study.load import LoadedStudy

OWN = "as above"


def section(study: LoadedStudy) -> Section | None:
    """The section; None where the study has one scoring."""
    if not study.scorings:
        return None
    whole = {OWN: study, **study.scorings}
    parts = [(name, found, verdicts.section(found)) for name, found in study.scorings.items()]
    values = {
        "study": study,
        "said": {name: _said(found) for name, found in whole.items()},
        "means": {arm.name: [_mean(found, arm.name) for found in whole.values()] for arm in study.arms},
        "headings": [
            f"{name}: {metric_named(found.metrics[0]).heading}" for name, found in whole.items() if found.metrics
        ],
        "parts": parts,
    }
    return Section("scorings", "Scored otherwise", render("section/scorings.html", **values))


def _said(study: LoadedStudy) -> str:
    """By what a study's finished runs were scored."""
    spec: Mapping[str, Any] = study.done[0].spec if study.done else study.base
    sampling = spec["sampling"]
    slab = sampling.get("slices") is not None and sampling.get("score", "slab") == "slab"
    cases = (
        f"slices from {sampling['slices'][0]:g} to {sampling['slices'][1]:g} of the depth" if slab else "whole cases"
    )
    return f"rules {spec['rules']}, {cases}, {', '.join(study.metrics)}"


def _mean(study: LoadedStudy, arm: str) -> str:
    """The arm's mean over patients by the study's first metric, over regions where there are several."""
    if not study.metrics:
        return DASH
    region = MEAN if len(study.regions) > 1 else next(iter(study.regions), MEAN)
    found = study.arm_means.get((arm, study.metrics[0], region))
    return metric_named(study.metrics[0]).text(found.mean) if found else DASH
