"""Every placement, each trained from new weights: the reference for few levels."""

from mrfusion.errors import SpecError
from mrfusion.kinds import Count
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets
from mrfusion.searches._judge import settled


class Exhaustive(Search):
    """All 2^L sets, none warm-started; the one of least validation loss, if it is confirmed from new weights.

    Of equal losses the one with fewer added parameters. Refuses more than ``most`` sets, because nobody wants to wait
    for 2^8 trainings by accident.

    Options:
        fusion: the fusion module that is placed, as text
        most: most placements that may be trained; more are refused
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: exhaustive(fusion=attention)
    """

    def __init__(self, fusion: str = "mmtm", *, most: Count = 64, repeats: int = 3) -> None:
        super().__init__(fusion, repeats=repeats)
        self.most = most

    def walk(self, space: Space) -> Walk[Choice]:
        sets = subsets(space)
        if len(sets) > self.most:
            raise SpecError(
                f"exhaustive search over {len(space.positions)} levels trains {len(sets)} networks, more than "
                f"most={self.most}; say exhaustive(most={len(sets)}) or take forward, floating or supernet"
            )
        trials = yield [Candidate(places) for places in sets]
        found = best(space, trials)
        why = f"of all {len(sets)} placements {named(found.candidate.places)} has the least validation loss"
        step = Step(tuple(trial.candidate for trial in trials), found.candidate, why)
        choice = yield from settled(found, found.candidate, [step], among=len(sets) - 1, repeats=self.repeats)
        return choice
