"""Placements drawn at random, each trained from new weights: what a search has to beat."""

import random

from mrfusion.kinds import Count
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets
from mrfusion.searches._judge import settled


class Random(Search):
    """``count`` different sets of all 2^L, each as likely as another, drawn with the run's seed.

    Chosen: the one of least validation loss, if it is confirmed from new weights.

    Options:
        fusion: the fusion module that is placed, as text
        count: number of placements that are tried
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: random(count=8)
    """

    def __init__(self, fusion: str = "mmtm", *, count: Count = 5, repeats: int = 3) -> None:
        super().__init__(fusion, repeats=repeats)
        self.count = count

    def walk(self, space: Space) -> Walk[Choice]:
        sets = subsets(space)
        drawn = random.Random(space.seed).sample(sets, min(self.count, len(sets)))
        trials = yield [Candidate(places) for places in drawn]
        found = best(space, trials)
        why = f"of {len(drawn)} placements drawn, {named(found.candidate.places)} has the least validation loss"
        step = Step(tuple(trial.candidate for trial in trials), found.candidate, why)
        choice = yield from settled(found, found.candidate, [step], among=len(drawn), repeats=self.repeats)
        return choice
