"""Sequential backward search: from modules at every level, takes away what is not missed."""

from mrfusion.searches._base import (
    Candidate,
    Choice,
    Space,
    Step,
    StepwiseSearch,
    Walk,
    all_on_path,
    best,
    named,
    without_place,
)
from mrfusion.searches._judge import settled, too_few


class Backward(StepwiseSearch):
    """From all positions on, remove one module a round, the one whose removal leaves the least validation loss.

    Candidates start from the larger network's weights, beside a null candidate that trains it on. A removal is accepted
    if loss <= min(parent, null), so that a module which makes no difference goes; ties within ``tau``: what leaves
    fewer parameters. What is left at the end is chosen if it is confirmed against no module at all, both trained from
    new weights. [ours: the paper searches forward only]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of each candidate after the first; default: those of the budget
        rate: learning rate of candidates that start from trained weights, as a share of the budget's
        tau: losses this close count as equal
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: backward(fusion=mmtm)
    """

    def walk(self, space: Space) -> Walk[Choice]:
        (present,) = yield [Candidate(tuple(space.positions))]
        among, steps = all_on_path(space), list[Step]()
        if reason := too_few(present, among):
            (bare,) = yield [Candidate(())]
            return Choice(bare.candidate, (), reason)
        while present.candidate.places:
            parent = present.candidate
            fewer = [Candidate(without_place(parent.places, place), parent) for place in parent.places]
            null, *trials = yield [Candidate(parent.places, parent, "null"), *fewer]
            winner, bar = best(space, trials, self.tau), min(present.loss, null.loss)
            tried = (null.candidate, *fewer)
            says = f"{named(winner.candidate.places)}: loss {winner.loss:.4g} against {bar:.4g}"
            if winner.loss > bar:
                steps.append(Step(tried, None, f"every module is missed; {says}"))
                break
            steps.append(Step(tried, winner.candidate, says))
            present = winner
        start = Candidate(present.candidate.places)
        choice = yield from settled(present, start, steps, among=among, repeats=self.repeats)
        return choice
