"""The model card of an exported network: what is known is filled in, the rest is named as to be filled in."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from mrfusion.errors import InputError
from mrfusion.files import read_json
from mrfusion.finished_run.load import FinishedRun
from mrfusion.run_folder.splits import PARTS
from mrfusion.run_folder.study import StudyFolder

FILL = "TO FILL IN"


def model_card(runs: Sequence[FinishedRun], statement: Mapping[str, Any]) -> str:
    """Markdown, after Mitchell et al. 2019 (Model Cards for Model Reporting): use, data, splits, scores, limits,
    licence. Names of patients and paths of this machine are left out."""
    parts = {
        "What it is": _what(runs, statement),
        "Intended use": [
            f"{FILL}: for whom, on which images, for which question.",
            "For research. It is no medical device, and was not tested for use on patients.",
        ],
        "Data": _data(runs[0], statement),
        "Splits": _splits(runs),
        "Scores on test cases": _scores(runs),
        "Limits": _limits(statement),
        "Before and after the network": [f"{number}. {text}" for number, text in enumerate(statement["in_words"], 1)],
        "Licence and origin": [
            f"* Licence of these weights: {FILL}",
            f"* Licence of the data, and whether it allows sharing weights: {FILL}",
            f"* Ethics approval or consent: {FILL}",
            f"* Authors and contact: {FILL}",
            f"* How to cite: {FILL}",
            "* `case.py` and `resample.py` are parts of mrfusion (Apache-2.0).",
        ],
    }
    sections = [f"## {title}\n\n" + "\n".join(lines) for title, lines in parts.items()]
    return f"# Model card: {FILL}\n\n" + "\n\n".join(sections) + "\n"


def _what(runs: Sequence[FinishedRun], statement: Mapping[str, Any]) -> list[str]:
    spec, facts = runs[0].spec, runs[0].folder.read_environment()
    answer = statement["answer"]
    wanted = answer["classes"] or [f"{name} (labels {', '.join(map(str, of))})" for name, of in answer["regions"]]
    return [
        f"* Task: {spec.task} of {', '.join(map(str, wanted))}",
        f"* Reads: {', '.join(statement['modalities'])}",
        f"* May be absent: {', '.join(statement['may_be_absent']) or 'none of them'}",
        f"* Fusion plan: `{spec.plan}`, network: `{spec.network}`, {spec.sampling.dimensions}-D",
        f"* Networks: {len(runs)}, of {facts.get('parameters', 'an unknown number of')} parameters each",
        f"* Trained by mrfusion {_version(facts)} and exported by {statement['mrfusion']}; runs: "
        + ", ".join(f"`{run.folder.digest}`" for run in runs),
        f"* Training: {spec.budget.epochs} epochs at most, {spec.budget.optimiser}, learning rate "
        f"{spec.budget.learning_rate:g}, batches of {spec.budget.batch_size}, losses {', '.join(spec.loss_texts)}, "
        f"augmentation `{spec.augmentation}`; the weights of the best epoch on validation cases",
    ]


def _data(run: FinishedRun, statement: Mapping[str, Any]) -> list[str]:
    preparation = statement["preparation"]
    spacing = preparation["spacing_mm"]
    return [
        f"* Origin, scanners, years, population: {FILL}",
        f"* Layout: {', '.join(f'`{source.layout}`' for source in run.spec.data.sources)}",
        f"* Fingerprint of the cohort and its division: `{run.spec.data.fingerprint or 'not known'}`",
        f"* Spacing: {'as in the files' if spacing is None else f'{spacing} mm'}; fixed intensities: "
        f"{', '.join(preparation['intensities']) or 'none, z-scores of each image'}",
    ]


def _splits(runs: Sequence[FinishedRun]) -> list[str]:
    lines = ["| run | fold | seed | training | validation | test |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{run.folder.digest}` | {run.spec.fold} | {run.spec.seed} | {' | '.join(_patients(run))} |" for run in runs
    ]
    return [*lines, "", "Numbers are patients; no patient stands in two parts of one run."]


def _patients(run: FinishedRun) -> list[str]:
    """How many patients a run was trained, validated and tested on; a question mark where its study is not there."""
    try:
        splits = read_json(StudyFolder(run.folder.path.resolve().parents[1]).splits)
        fold, cases = splits["folds"][run.spec.fold], splits["cases"]
        return [str(len({cases[name]["patient"] for name in fold[part]})) for part in PARTS]
    except (InputError, KeyError, IndexError, TypeError):
        return ["?"] * len(PARTS)


def _scores(runs: Sequence[FinishedRun]) -> list[str]:
    """Mean and standard deviation over the cases of all runs."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for score in run.folder.read_scores():
            if math.isfinite(score.value):
                found.setdefault((score.region, score.metric), []).append(score.value)
    lines = ["| region or class | metric | mean | standard deviation | scores |", "|---|---|---|---|---|"]
    for (region, metric), values in found.items():
        spread = f"{stdev(values):.4g}" if len(values) > 1 else "-"
        lines.append(f"| {region} | {metric} | {mean(values):.4g} | {spread} | {len(values)} |")
    scored = {"val": "validation", "test": "test"}[runs[0].spec.score_on]
    return [*lines, "", f"Of {scored} cases, each by the run that was not trained on it; Dice and rates from 0 to 1."]


def _limits(statement: Mapping[str, Any]) -> list[str]:
    absent = statement["may_be_absent"]
    named = ", ".join(absent)
    return [
        "* Scores hold for patients like those above, on scanners like theirs; nothing is known of others.",
        f"* It was trained with cases that lacked {named} at times, and answers without them."
        if absent
        else "* All modalities are needed: it was never trained without one of them.",
        "* It computes in single precision; a run that was trained and scored in half precision may differ in single "
        "voxels.",
        "* It answers for every image that has the right form, also for one of another organ or sequence.",
        f"* Known failures, groups of patients it is worse for: {FILL}",
    ]


def _version(facts: Mapping[str, Any]) -> str:
    versions = facts.get("versions")
    return (
        str(versions.get("mrfusion", "of unknown version")) if isinstance(versions, Mapping) else "of unknown version"
    )
