"""What a finished run says of its validation patients: the loss that a search minimises, and each patient's score."""

import math
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from mrfusion.files import read_rows
from mrfusion.scoring.classes import read_class_table

LEAST = 1e-6  # a probability below it costs no more, so that one confident error does not outweigh all other patients


def loss_of(run: Path, task: str) -> float:
    """A run's validation loss at its best epoch: the losses' sum for classes, 1 - mean Dice for regions. [ours]"""
    rows = read_rows(run / "history.csv", ("epoch", "quantity", "value"))
    score = max(float(row["value"]) for row in rows if row["quantity"] == "val/score")
    return 1 - score if task == "segmentation" else -score


def scores_of(run: Path, task: str, patients: Mapping[str, str]) -> tuple[float, ...]:
    """One number for each patient that a run was scored on, higher is better, by the patients' names.

    Segmentation: the mean Dice over regions; classification: the logarithm of the probability of the right class. Where
    a patient has several cases, their mean; NaN where none has a value. ``patients`` maps cases to their patients.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for case, value in _of_cases(run, task).items():
        found[patients[case]].append(value)
    return tuple(_mean(found[patient]) for patient in sorted(found))


@lru_cache(maxsize=4096)
def _of_cases(run: Path, task: str) -> Mapping[str, float]:
    """Case -> score; kept, since a finished run does not change and a search asks for it in every round."""
    return _mean_dice(run) if task == "segmentation" else _log_probability(run)


def _mean_dice(run: Path) -> dict[str, float]:
    """Case -> mean Dice over its regions."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in read_rows(run / "scores.csv", ("case", "region", "metric", "value")):
        if row["metric"] == "dice":
            found[row["case"]].append(float(row["value"] or math.nan))
    return {case: _mean(values) for case, values in found.items()}


def _log_probability(run: Path) -> dict[str, float]:
    """Case -> log of the probability that was given to its right class."""
    table = read_class_table(run / "probabilities.csv")
    votes = table.votes
    right = votes.probabilities[np.arange(len(table.case_ids)), votes.targets]
    return dict(zip(table.case_ids, np.log(np.maximum(right, LEAST)).tolist(), strict=True))


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan
