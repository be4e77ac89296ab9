"""Placements drawn at random, each trained from new weights: what a search has to beat."""

import random

from mrfusion.errors import SpecError
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets


class Random(Search):
    """``count`` different sets of all 2^L, each as likely as another, drawn with the run's seed; the best is chosen.

    Options:
        fusion: the fusion module that is placed, as text
        count: number of placements that are tried; at least 1
    Example: random(count=8)
    """

    def __init__(self, fusion: str = "mmtm", *, count: int = 5) -> None:
        super().__init__(fusion)
        if count < 1:
            raise SpecError(f"search random: count is a number of placements, at least 1, found {count}")
        self.count = count

    def walk(self, space: Space) -> Walk[Choice]:
        sets = subsets(space)
        drawn = random.Random(space.seed).sample(sets, min(self.count, len(sets)))
        trials = yield [Candidate(places) for places in drawn]
        chosen = best(space, trials).candidate
        why = f"of {len(drawn)} placements drawn, {named(chosen.places)} has the least validation loss"
        return Choice(chosen, (Step(tuple(trial.candidate for trial in trials), chosen, why),), why)
