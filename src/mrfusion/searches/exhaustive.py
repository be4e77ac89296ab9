"""Every placement, each trained from new weights: the reference for few levels."""

from mrfusion.errors import SpecError
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets


class Exhaustive(Search):
    """All 2^L sets, none warm-started; chosen: least validation loss, then fewer added parameters.

    Refuses more than ``most`` sets, because nobody wants to wait for 2^8 trainings by accident.

    Options:
        fusion: the fusion module that is placed, as text
        most: most placements that may be trained; more are refused
    Example: exhaustive(fusion=attention)
    """

    def __init__(self, fusion: str = "mmtm", *, most: int = 64) -> None:
        super().__init__(fusion)
        self.most = most

    def walk(self, space: Space) -> Walk[Choice]:
        sets = subsets(space)
        if len(sets) > self.most:
            raise SpecError(
                f"exhaustive search over {len(space.positions)} levels trains {len(sets)} networks, more than "
                f"most={self.most}; say exhaustive(most={len(sets)}) or take forward, floating or supernet"
            )
        trials = yield [Candidate(places) for places in sets]
        chosen = best(space, trials).candidate
        why = f"of all {len(sets)} placements {named(chosen.places)} has the least validation loss"
        return Choice(chosen, (Step(tuple(trial.candidate for trial in trials), chosen, why),), why)
