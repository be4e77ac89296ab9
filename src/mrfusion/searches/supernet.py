"""One network trained with random gates, then every placement tried on its weights: for many levels."""

from mrfusion.kinds import Count, Positive
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets
from mrfusion.searches._judge import settled, too_few


class Supernet(Search):
    """Weight sharing (after Guo et al. 2020, single path one-shot): one training, 2^L validations, few more trainings.

    A module stands at every position, and in each training step each is open with probability 1/2. Then all 2^L
    placements are validated on the inherited weights, and the ``finalists`` best of them are trained on from these with
    the budget ``epochs``. The best of the finalists is chosen if it is confirmed against no module at all, trained on
    from the same weights. [ours]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of the finalists; default: those of the budget
        rate: learning rate of the finalists, as a share of the budget's
        finalists: placements that are trained on after the shared network
        repeats: how often the winner and its control are trained again before it is believed; at least 3
    Example: supernet(finalists=3)
    """

    def __init__(
        self,
        fusion: str = "mmtm",
        *,
        epochs: Count | None = None,
        rate: Positive = 1.0,
        finalists: Count = 2,
        repeats: int = 3,
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate, repeats=repeats)
        self.finalists = finalists

    def walk(self, space: Space) -> Walk[Choice]:
        supernet, sets = Candidate(tuple(space.positions), kind="supernet"), subsets(space)
        (whole,) = yield [supernet]
        if reason := too_few(whole, len(sets) - 1):
            (bare,) = yield [Candidate((), supernet)]
            return Choice(bare.candidate, (), reason)
        inherited = yield [Candidate(places, supernet, "inherited") for places in sets]
        ranked = sorted(inherited, key=lambda trial: (trial.loss, space.cost(trial.candidate.places)))
        last = yield [Candidate(trial.candidate.places, supernet) for trial in ranked[: self.finalists]]
        found, first = best(space, last), ranked[0].candidate
        ranking = f"{named(first.places)} is best on the supernet's weights"
        final = f"of {len(last)} trained on, {named(found.candidate.places)} has the least validation loss"
        steps = [
            Step(tuple(trial.candidate for trial in inherited), first, ranking),
            Step(tuple(trial.candidate for trial in last), found.candidate, final),
        ]
        choice = yield from settled(found, found.candidate, steps, among=len(sets) - 1, repeats=self.repeats)
        return choice
