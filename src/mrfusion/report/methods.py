"""The methods paragraph: what the study did, in sentences for a paper, with its own settings filled in."""

from collections.abc import Mapping
from typing import Any

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.bootstrap import DRAWS
from mrfusion.report.metric import metric_named
from mrfusion.report.wording import count, number, several
from mrfusion.study.load import LoadedStudy


def paragraphs(study: LoadedStudy) -> list[str]:
    """Data and design, training, statistics; empty where no run has finished."""
    if not study.done:
        return []
    reference = study.runs_of(study.reference)
    return [_design(study), _training((reference or study.done)[0].spec), *_statistics(study)]


def _design(study: LoadedStudy) -> str:
    patients = len({case.patient for case in study.cases})
    arms = ", ".join(arm.name for arm in study.arms)
    scored = {"val": "validation"}.get(str(study.done[0].spec.get("score_on")), "test")
    folds, seeds = len({run.fold for run in study.runs}), len({run.seed for run in study.runs})
    return (
        f"We compared {several(len(study.arms), 'arm')} ({arms}) on {several(len(study.cases), 'case')} of "
        f"{several(patients, 'patient')} with the modalities {', '.join(study.modalities)}. Patients were divided into "
        f"{several(folds, 'fold')} (no patient in two of them); every arm was trained on the same splits with "
        f"{several(seeds, 'random seed')}, {len(study.done)} runs in all, and scored on its {scored} cases."
    )


def _training(spec: Mapping[str, Any]) -> str:
    """From the reference's specification; what it does not record is left out."""
    budget = _part(spec, "budget")
    sampling = _part(spec, "sampling")
    network = f"The network ({spec['network']}) " if "network" in spec else "The networks "
    kind = f"read {sampling['dimensions']}-D samples and " if "dimensions" in sampling else ""
    if not budget:
        return f"{network}{kind}shared one training budget."
    decay = f" and {budget['decay']} decay" if budget.get("decay", "constant") != "constant" else ""
    stop = f", stopping after {budget['patience']} epochs without gain" if budget.get("patience") else ""
    return (
        f"{network}{kind}was trained for {budget['epochs']} epochs{stop} with {budget['optimiser']}, "
        f"learning rate {budget['learning_rate']:g}{decay}, weight decay {budget['weight_decay']:g} and batches of "
        f"{budget['batch_size']}; the epoch with the best validation score was tested. Arms differ from this only in "
        "what their definition says."
    )


def _statistics(study: LoadedStudy) -> list[str]:
    rows = study.comparisons
    if not rows:
        return []
    size = number(study.fairness.arms[study.reference].costs["parameters"])
    declared = [row for row in rows if not row.family.startswith("other ")]
    margins = {row.metric: row.margin for row in rows}
    words = " and ".join(
        f"{metric_named(name).text(margin)} {metric_named(name).unit} of {metric_named(name).title}"
        for name, margin in margins.items()
        if margin == margin
    )
    seeds = max(row.seeds for row in rows)
    runs = " and what the runs of one fold share" if seeds > 1 else ""
    mean = " and their mean" if any(row.region == MEAN for row in rows) else ""
    return [
        f"The unit of analysis is the patient. Effects are mean differences to {study.reference} ({count(size)} "
        f"parameters), paired by case, fold and seed. 95 % intervals are studentised hierarchical bootstraps "
        f"({DRAWS:,} draws of patients, then of seeds) whose standard error holds the spread between patients"
        f"{runs}. p is the larger of Wilcoxon's signed-rank test on patients' means (exact, Pratt's zeros) and "
        f"Student's test of the effect, corrected by Holm over the {several(len(declared), 'comparison')} of the "
        f"declared family (arms, regions{mean}). An arm helps or hurts if its interval excludes 0 and corrected "
        f"p < 0.05, and is equivalent if the interval lies within the margin ({words or 'none declared'}); otherwise "
        "it is undecided."
        + (" With a single seed, intervals do not hold what another training would change." if seeds == 1 else "")
    ]


def _part(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = spec.get(key)
    return value if isinstance(value, Mapping) else {}
