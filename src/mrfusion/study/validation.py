"""What a finished run says of its validation patients: the loss that a search minimises, and each patient's score."""

import math
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from mrfusion import families
from mrfusion.run_folder.quantity import SCORE
from mrfusion.run_folder.run import RunFolder

LEAST = 1e-6  # a probability below it costs no more, so that one confident error does not outweigh all other patients


def loss_of(run: RunFolder, task: str) -> float:
    """A run's validation loss at its best epoch, as its task says. [ours]"""
    return float(families.load("tasks", task)().loss_of(max(run.read_history().of(SCORE))))


def scores_of(run: RunFolder, task: str, patients: Mapping[str, str]) -> tuple[float, ...]:
    """One number for each patient that a run was scored on, higher is better, by the patients' names.

    The task names what gives them: :func:`mean_dice` or :func:`log_probability`. Where a patient has several cases,
    their mean; NaN where none has a value. ``patients`` maps cases to their patients.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for case, value in _of_cases(run, task).items():
        found[patients[case]].append(value)
    return tuple(_mean(found[patient]) for patient in sorted(found))


@lru_cache(maxsize=4096)
def _of_cases(run: RunFolder, task: str) -> Mapping[str, float]:
    """Case -> score; kept, since a finished run does not change and a search asks for it in every round."""
    found: Mapping[str, float] = families.piece(__name__, families.load("tasks", task)().of_cases)(run)
    return found


def mean_dice(run: RunFolder) -> dict[str, float]:
    """Case -> mean Dice over its regions."""
    found: dict[str, list[float]] = defaultdict(list)
    for score in run.read_scores():
        if score.metric == "dice":
            found[score.case].append(score.value)
    return {case: _mean(values) for case, values in found.items()}


def log_probability(run: RunFolder) -> dict[str, float]:
    """Case -> log of the probability that was given to its right class."""
    classes, answers = run.read_probabilities()
    right = {one.case: one.probabilities[classes.index(one.target)] for one in answers}
    return {case: math.log(max(value, LEAST)) for case, value in right.items()}


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan
