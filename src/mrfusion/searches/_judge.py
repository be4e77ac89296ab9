"""The judge of a search: whether what it found does better than nothing added, or was merely lucky.

A training that begins again from the same weights with another seed ends elsewhere, so the best of L candidates beats a
single null candidate in L of L + 1 rounds although no module does anything. Therefore the candidate that won is trained
again with new seeds, as often as the null candidates were, and has to pass two exact tests at 5 %:

* over trainings: a permutation test (Fisher 1935) of the means of its new trainings against those of the null
  candidates. With three of each it passes only where every new training beats every null candidate, which happens in 1
  of 20 cases to a module that does nothing. The training that won takes no part: it was chosen for its luck.
* over validation patients: Wilcoxon's signed-rank test (1945) of each patient's mean over the new trainings minus
  the mean over the null candidates, its p-value multiplied by the number of candidates (Bonferroni), because all of
  them were compared on the same patients.

Both are one-sided. Where so few patients validate that the second test could not pass whatever they said, nothing is
accepted and the search says so. [ours: the papers compare single trainings]
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from mrfusion.searches._base import Candidate, Choice, Step, Trial, Walk, named

ALPHA = 0.05


@dataclass(frozen=True)
class Ruling:
    """Whether a candidate is accepted, why, in words that follow its name, and what was trained again to know."""

    accepted: bool
    why: str
    tried: tuple[Candidate, ...]


def fewest_patients(among: int) -> int:
    """The fewest validation patients that can prove one of ``among`` candidates better: 2^-n * among <= 0.05."""
    return math.ceil(math.log2(among / ALPHA))


def too_few(trial: Trial, among: int) -> str:
    """Why the validation patients of a search cannot decide between ``among`` candidates; empty where they can."""
    patients, needed = int(np.isfinite(trial.scores).sum()), fewest_patients(among)
    if patients >= needed:
        return ""
    return (
        f"{patients} validation patients cannot tell {among} candidates from chance, at least {needed} are needed; "
        "nothing was added"
    )


def confirmed(winner: Candidate, controls: Sequence[Candidate], among: int) -> Walk[Ruling]:
    """Train the winner of ``among`` candidates again, as often as there are ``controls``, and rule on it.

    The new trainings have seeds that no control has, so that all of them are independent.
    """
    first = len(controls)
    again = [replace(winner, rival=None, kind="again", repeat=first + number) for number in range(first)]
    trials = yield [*controls, *again]
    return rule(trials[first:], trials[:first], among)


def settled(winner: Trial, start: Candidate, steps: Sequence[Step], *, among: int, repeats: int) -> Walk[Choice]:
    """The choice of a search that compared whole placements, ``among`` of them with a module: the winner if confirmed.

    ``start`` is the winner as it is trained again: from its parent's weights, or from new ones. The control is the
    network without a module, from the same start; it is the answer where the winner is not confirmed.
    """
    words = f"{named(winner.candidate.places)} has the least validation loss"
    if not winner.candidate.places:
        return Choice(winner.candidate, tuple(steps), words)
    controls = [Candidate((), start.parent, "again", repeat=number) for number in range(repeats)]
    if reason := too_few(winner, among):
        yield controls[:1]
        return Choice(controls[0], tuple(steps), reason)
    ruling = yield from confirmed(start, controls, among)
    accepted = winner.candidate if ruling.accepted else None
    why = f"{words}; {'' if accepted else 'it was not proven better than no module: '}{ruling.why}"
    return Choice(accepted or controls[0], (*steps, Step(ruling.tried, accepted, why)), why)


def rule(again: Sequence[Trial], controls: Sequence[Trial], among: int) -> Ruling:
    """The ruling on trainings of one candidate against those of the control; both have at least one."""
    tried = tuple(trial.candidate for trial in (*controls, *again))
    scores = np.array([trial.scores for trial in (*again, *controls)], float)
    scores = scores[:, np.isfinite(scores).all(0)]
    if scores.shape[1] < fewest_patients(among):
        return Ruling(False, too_few(replace(again[0], scores=tuple(scores[0])), among), tried)
    by_training = permutation_p(scores.mean(1), len(again))
    differences = scores[: len(again)].mean(0) - scores[len(again) :].mean(0)
    by_patient = min(1.0, among * signed_rank_p(differences))
    says = (
        f"trained again {len(again)} times its mean score differs by {differences.mean():+.4f} from {len(controls)} "
        f"trainings without it (p = {by_training:.3f} over trainings, {by_patient:.3f} over {scores.shape[1]} "
        f"validation patients, corrected for {among} {'candidates' if among > 1 else 'candidate'})"
    )
    return Ruling(max(by_training, by_patient) <= ALPHA + 1e-9, says, tried)


def permutation_p(means: npt.NDArray[np.float64], first: int) -> float:
    """One-sided exact p that the mean of the ``first`` values is larger than that of the others by chance alone."""
    seen = means[:first].sum()
    sums = [sum(chosen) for chosen in itertools.combinations(means.tolist(), first)]
    return float(np.mean([value >= seen - 1e-12 for value in sums]))


def signed_rank_p(differences: npt.NDArray[np.float64]) -> float:
    """One-sided p of Wilcoxon's signed-rank test that differences are above 0; 1 where none is other than 0.

    Zeros take part in the ranking (Pratt 1959). Exact by all signs up to 50 patients, ties included; then scipy's
    approximation.
    """
    if not differences.any():
        return 1.0
    if len(differences) > 50:
        return float(stats.wilcoxon(differences, zero_method="pratt", alternative="greater").pvalue)
    ranks = np.rint(2 * stats.rankdata(np.abs(differences))).astype(int)
    ways = np.ones(1)  # the chance of each sum of positive doubled ranks
    for rank in ranks[differences != 0]:
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    return float(min(1.0, ways[int(ranks[differences > 0].sum()) :].sum()))
