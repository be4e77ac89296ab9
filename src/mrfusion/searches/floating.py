"""Sequential floating forward search: adds the best position, then takes back what has become superfluous."""

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
    without_place,
)
from mrfusion.searches._judge import settled, too_few


class Floating(StepwiseSearch):
    """SFFS (Pudil, Novovicova, Kittler 1994), until every position was taken once; the best set on the way is chosen.

    The best set is chosen if it is confirmed against no module at all, trained on from the same weights. [ours]
    An inclusion is made whether or not it helps; then positions are taken back as long as the smaller set is better
    than the best set of its size so far. So two positions that only help together are found.
    Every set starts from the same weights, late fusion's, with the same budget: its loss depends on the set alone, and
    a set that is met again is not trained again. [ours]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of each candidate after the first; default: those of the budget
        rate: learning rate of candidates that start from trained weights, as a share of the budget's
        tau: losses this close count as equal
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: floating(fusion=mmtm)
    """

    def walk(self, space: Space) -> Walk[Choice]:
        root = Candidate(())
        seen: dict[tuple[int, ...], Trial] = {}
        (bare,) = yield [root]
        if reason := too_few(bare, all_on_path(space)):
            return Choice(root, (), reason)
        (seen[()],) = yield [Candidate((), root, "null")]
        best_of_size = {0: seen[()]}
        present, steps = seen[()], list[Step]()
        while len(present.candidate.places) < len(space.positions):
            places = present.candidate.places
            larger = [with_place(places, place) for place in space.positions if place not in places]
            present = yield from self._move(space, root, larger, seen)
            steps.append(_step(larger, seen, present))
            _keep(best_of_size, present)
            while len(present.candidate.places) > 1:
                places = present.candidate.places
                smaller = [without_place(places, place) for place in places]
                back = yield from self._move(space, root, smaller, seen)
                if not _keep(best_of_size, back):
                    break
                present = back
                steps.append(_step(smaller, seen, present))
        found = best(space, seen.values(), self.tau)
        choice = yield from settled(found, found.candidate, steps, among=len(seen) - 1, repeats=self.repeats)
        return choice

    def _move(
        self, space: Space, root: Candidate, sets: list[tuple[int, ...]], seen: dict[tuple[int, ...], Trial]
    ) -> Walk[Trial]:
        """Try the sets that are new; the best of all of them."""
        new = [Candidate(places, root) for places in sets if places not in seen]
        if new:
            seen.update({trial.candidate.places: trial for trial in (yield new)})
        return best(space, (seen[places] for places in sets), self.tau)


def _keep(best_of_size: dict[int, Trial], trial: Trial) -> bool:
    """Whether a trial is better than the best of its size so far, which it then becomes."""
    size = len(trial.candidate.places)
    better = size not in best_of_size or trial.loss < best_of_size[size].loss
    if better:
        best_of_size[size] = trial
    return better


def _step(sets: list[tuple[int, ...]], seen: dict[tuple[int, ...], Trial], taken: Trial) -> Step:
    why = f"{named(taken.candidate.places)}: loss {taken.loss:.4g}, the best of {len(sets)}"
    return Step(tuple(seen[places].candidate for places in sets), taken.candidate, why)
