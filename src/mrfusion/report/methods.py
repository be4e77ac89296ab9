"""The methods paragraph: what the study did, in sentences for a paper, with its own settings filled in."""

from collections.abc import Mapping
from typing import Any

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import Comparison
from mrfusion.comparison.spending import Spending
from mrfusion.report.metric import metric_named
from mrfusion.report.wording import count, number, several
from mrfusion.study.load import LoadedStudy


def paragraphs(study: LoadedStudy) -> list[str]:
    """Data and design, training, statistics; empty where no run has finished."""
    if not study.done:
        return []
    if not study.trained_here:
        return [_given(study), *_statistics(study)]
    trained = [run for run in (*study.runs_of(study.reference), *study.done) if run.arm not in study.fairness.unknown]
    return [_design(study), _training(trained[0].spec) + _foreign(study), *_statistics(study)]


def _design(study: LoadedStudy) -> str:
    patients = len({case.patient for case in study.cases})
    arms = ", ".join(arm.name for arm in study.arms)
    scored = {"val": "validation"}.get(str(study.done[0].spec.get("score_on")), "test")
    folds, seeds = len({run.fold for run in study.runs}), len({run.seed for run in study.runs})
    foreign = _names_of_foreign(study)
    every = f"every arm but {' and '.join(foreign)}" if foreign else "every arm"
    return (
        f"We compared {several(len(study.arms), 'arm')} ({arms}) on {several(len(study.cases), 'case')} of "
        f"{several(patients, 'patient')} with the modalities {', '.join(study.modalities)}. Patients were divided into "
        f"{several(folds, 'fold')} (no patient in two of them); {every} was trained on the same splits with "
        f"{several(seeds, 'random seed')}, {several(len(study.trained), 'run')} in all, and scored on its "
        f"{scored} cases."
    )


def _given(study: LoadedStudy) -> str:
    """What is known of results that were made elsewhere, and what is not."""
    patients = len({case.patient for case in study.cases})
    folds, seeds = len({run.fold for run in study.runs}), len({run.seed for run in study.runs})
    return (
        f"We compared {several(len(study.arms), 'arm')} ({', '.join(arm.name for arm in study.arms)}) on "
        f"{several(len(study.cases), 'case')} of {several(patients, 'patient')} by results that were made elsewhere "
        f"and given to mrfusion as {several(folds, 'fold')} and {several(seeds, 'run')} of each. How the arms were "
        "trained, for how long, with which random seeds, and that no case was trained on and tested, cannot be known "
        "from such results."
    )


def _foreign(study: LoadedStudy) -> str:
    """The arms that were not trained by mrfusion; empty where all were."""
    names = _names_of_foreign(study)
    if not names:
        return ""
    return (
        f" The predictions of {', '.join(names)} were made elsewhere, read fold by fold against the same splits, and "
        "scored like all others; how the networks behind them were trained is not known here."
    )


def _names_of_foreign(study: LoadedStudy) -> list[str]:
    return [arm.name for arm in study.arms if arm.name in study.fairness.unknown]


def _training(spec: Mapping[str, Any]) -> str:
    """From the reference's specification; what it does not record is left out."""
    budget = _part(spec, "budget")
    sampling = _part(spec, "sampling")
    network = f"The network ({spec['network']}) " if "network" in spec else "The networks "
    kind = f"read {sampling['dimensions']}-D samples{_slab(sampling)} and " if "dimensions" in sampling else ""
    if not budget:
        return f"{network}{kind}shared one training budget."
    decay = f" and {budget['decay']} decay" if budget.get("decay", "constant") != "constant" else ""
    stop = f", stopping after {budget['patience']} epochs without gain" if budget.get("patience") else ""
    return (
        f"{network}{kind}was trained for {several(budget['epochs'], 'epoch')}{stop} with {budget['optimiser']}, "
        f"learning rate {budget['learning_rate']:g}{decay}, weight decay {budget['weight_decay']:g} and batches of "
        f"{budget['batch_size']}; the epoch with the best validation score was tested. Arms differ from this only in "
        "what their definition says."
    )


def _slab(sampling: Mapping[str, Any]) -> str:
    """Which slices were trained on, and which were scored; empty where all were."""
    if not sampling.get("slices"):
        return ""
    low, high = (f"{100 * share:.3g}" for share in sampling["slices"])
    scored = "whole cases" if sampling.get("score") == "whole" else "these slices alone"
    return f" from the slices between {low} and {high} % of the depth (scored: {scored})"


def _statistics(study: LoadedStudy) -> list[str]:
    rows = study.comparisons
    if not rows:
        return []
    size = number(study.fairness.arms[study.reference].costs["parameters"])
    known = f" ({count(size)} parameters)" if size == size else ""
    declared = [row for row in rows if not row.family.startswith("other ")]
    margins = {row.metric: row.margin for row in rows}
    words = " and ".join(
        f"{metric_named(name).text(margin)} {metric_named(name).unit} of {metric_named(name).title}"
        for name, margin in margins.items()
        if margin == margin
    )
    mean = " and their mean" if any(row.region == MEAN for row in rows) else ""
    return [
        f"The unit of analysis is the patient. Effects are mean differences to {study.reference}{known}, paired by "
        f"case, fold and seed; only runs that both arms finished count. {_varying(rows[0])} "
        f"p-values are those at which the interval begins to exclude 0, and those of two one-sided tests against the "
        f"margin (the 90 % interval); each kind is corrected by Holm over the {several(len(declared), 'comparison')} "
        f"of the declared family (arms, regions{mean}). An arm helps or hurts if corrected p < 0.05, and is "
        f"equivalent if it is so for equivalence within the margin ({words or 'none declared'}); otherwise it is "
        "undecided. Ties, fewer than 6 patients that differ, regions that neither arm learned, and differences that "
        "hold only with penalties or with cases whose target lacks the region decide nothing.",
        *_planned(study),
    ]


def _planned(study: LoadedStudy) -> list[str]:
    """The rule for stopping, where there is one, and the plan that was frozen."""
    found = []
    if study.stopping:
        rule = Spending(most_seeds=len(study.seeds))
        found.append(
            f"The study stopped an arm when it was decided, or when no further seed was likely to decide it: it looked "
            f"after {rule.looks.start} to {rule.most_seeds} complete seeds, and each look was held "
            f"to the level {100 * rule.level:.2g} %, which makes 5 % of all of them together "
            f"(Pocock 1977). {study.stopping['saved']} of {study.stopping['total']} runs were "
            "saved."
        )
    if study.frozen:
        found.append(
            "What would be compared was written down before the first run (SHA-256 of the plan: "
            f"{study.frozen[:16]}); what was added to it later is called exploratory."
        )
    return [" ".join(found)] if found else []


def _varying(row: Comparison) -> str:
    """What the intervals hold, by the design."""
    if row.scope == "the method":
        return (
            "95 % intervals hold what patients, runs and training sets change: Student's with the variance between "
            f"the means of {row.folds} folds (about {row.folds - 1} degrees of freedom), never shorter than patients "
            "and runs alone would have it, corrected for skewness (Hall 1992)."
        )
    if row.seeds > 1:
        return (
            "95 % intervals hold what patients and runs change on this one training set, and speak of these "
            "trainings, not of the method; so no verdict is given."
        )
    return "95 % intervals hold what patients change, for these very networks; a single run an arm earns no verdict."


def _part(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = spec.get(key)
    return value if isinstance(value, Mapping) else {}
