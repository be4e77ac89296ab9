"""Sequential forward search with warm start and null candidates: adds the best position as long as it helps."""

from collections.abc import Sequence
from typing import Literal

from mrfusion.kinds import Count, NotNegative, Positive
from mrfusion.searches._base import (
    Candidate,
    Choice,
    Space,
    Step,
    StepwiseSearch,
    Trial,
    Walk,
    all_on_path,
    best,
    named,
    with_place,
)
from mrfusion.searches._judge import confirmed, settled, too_few


class Forward(StepwiseSearch):
    """Guarrasi et al. (arXiv 2505.02467): from late fusion, add one module a round, the one of least validation loss.

    Every candidate of a round starts from the weights of the network it extends; so do ``repeats`` null candidates,
    that network trained on with the same budget, since a candidate has simply been trained longer than its parent.
    The best candidate, if its loss is below its parent's and the mean of the null candidates', is trained again and
    accepted only where the judge of searches (:mod:`mrfusion.searches._judge`) confirms it. [ours]
    Ties within ``tau``: fewer added parameters, then the finer level. [ours]
    ``mode=greedy`` stops at the first round that nothing is accepted in. ``mode=full_path`` goes on with one null
    candidate a round until every position is taken; the best network on the way is then confirmed from new weights.
    ``race``: the first null candidate is trained before the others, and a candidate that gains less than half of what
    it had gained in as many epochs is stopped. [ours]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of each candidate after the first; default: those of the budget
        rate: learning rate of candidates that start from trained weights, as a share of the budget's
        mode: greedy (stops when nothing helps) or full_path (goes on to the end and returns the best)
        tau: losses this close count as equal
        race: whether candidates that fall behind are stopped early
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: forward(fusion=mmtm,epochs=10)
    """

    def __init__(
        self,
        fusion: str = "mmtm",
        *,
        epochs: Count | None = None,
        rate: Positive = 1.0,
        mode: Literal["greedy", "full_path"] = "greedy",
        tau: NotNegative = 0.0,
        race: bool = False,
        repeats: int = 3,
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate, tau=tau, repeats=repeats)
        self.full_path = mode == "full_path"
        self.race = race

    def walk(self, space: Space) -> Walk[Choice]:
        (root,) = yield [Candidate(())]
        found = yield from self._whole_path(space, root) if self.full_path else self._greedy(space, root)
        return found

    def _greedy(self, space: Space, root: Trial) -> Walk[Choice]:
        present, steps = root, list[Step]()
        while free := _free(space, present):
            if reason := too_few(present, len(free)):
                return Choice(present.candidate, tuple(steps), reason)
            nulls, added = yield from self._round(present, free, self.repeats)
            winner = best(space, added, self.tau)
            step = yield from _judged(present, nulls, added, winner)
            steps.append(step)
            if step.accepted is None:
                return Choice(present.candidate, tuple(steps), step.why)
            present = winner
        return Choice(present.candidate, tuple(steps), "every position is taken")

    def _whole_path(self, space: Space, root: Trial) -> Walk[Choice]:
        among = all_on_path(space)
        if reason := too_few(root, among):
            return Choice(root.candidate, (), reason)
        path, steps = [root], list[Step]()
        while free := _free(space, path[-1]):
            nulls, added = yield from self._round(path[-1], free, 1)
            winner = best(space, added, self.tau)
            steps.append(Step(_tried(nulls, added), winner.candidate, f"{_says(winner)}, the best of this round"))
            path += [*nulls, winner]
        found = best(space, path, self.tau)
        start = Candidate(found.candidate.places)
        choice = yield from settled(found, start, steps, among=among, repeats=self.repeats)
        return choice

    def _round(self, present: Trial, free: Sequence[int], repeats: int) -> Walk[tuple[list[Trial], list[Trial]]]:
        """The trials of a round: those of the null candidates, and those of the networks with one module more."""
        parent = present.candidate
        nulls = [Candidate(parent.places, parent, "null", repeat=number) for number in range(repeats)]
        rival = nulls[0] if self.race else None
        added = [Candidate(with_place(parent.places, place), parent, "trained", rival) for place in free]
        if self.race:
            yield nulls[:1]
        trials = yield [*nulls, *added]
        return trials[:repeats], trials[repeats:]


def _judged(present: Trial, nulls: Sequence[Trial], added: Sequence[Trial], winner: Trial) -> Walk[Step]:
    """Whether the winner beats the network it extends and that network trained on, and does so when trained again."""
    mean = sum(trial.loss for trial in nulls) / len(nulls)
    bar, role = min((present.loss, "its parent's"), (mean, f"the mean {mean:.4g} of {len(nulls)} null candidates"))
    against = role if role.startswith("the") else f"{role} {bar:.4g}"
    says = f"{_says(winner)} against {against}"
    if winner.loss >= bar:
        return Step(_tried(nulls, added), None, f"nothing was better; {says}")
    ruling = yield from confirmed(winner.candidate, [trial.candidate for trial in nulls], len(added))
    tried = (*_tried(nulls, added), *(c for c in ruling.tried if c.kind == "again"))
    if ruling.accepted:
        return Step(tried, winner.candidate, f"{says}; {ruling.why}")
    return Step(tried, None, f"nothing was proven better; {says}; {ruling.why}")


def _says(trial: Trial) -> str:
    return f"{named(trial.candidate.places)}: loss {trial.loss:.4g}"


def _tried(nulls: Sequence[Trial], added: Sequence[Trial]) -> tuple[Candidate, ...]:
    return tuple(trial.candidate for trial in (*nulls, *added))


def _free(space: Space, present: Trial) -> list[int]:
    return [place for place in space.positions if place not in present.candidate.places]
