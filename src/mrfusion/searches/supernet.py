"""One network trained with random gates, then every placement tried on its weights: for many levels."""

from mrfusion.errors import SpecError
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, subsets


class Supernet(Search):
    """Weight sharing (after Guo et al. 2020, single path one-shot): one training, 2^L validations, few more trainings.

    A module stands at every position, and in each training step each is open with probability 1/2. Then all 2^L
    placements are validated on the inherited weights, and the ``finalists`` best of them are trained on from these with
    the budget ``epochs``; the best of the finalists is chosen. [ours]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of the finalists; default: those of the budget
        rate: learning rate of the finalists, as a share of the budget's
        finalists: placements that are trained on after the shared network; at least 1
    Example: supernet(finalists=3)
    """

    def __init__(
        self, fusion: str = "mmtm", *, epochs: int | None = None, rate: float = 1.0, finalists: int = 2
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate)
        if finalists < 1:
            raise SpecError(f"search supernet: finalists is a number of placements, at least 1, found {finalists}")
        self.finalists = finalists

    def walk(self, space: Space) -> Walk[Choice]:
        supernet = Candidate(tuple(space.positions), kind="supernet")
        yield [supernet]
        inherited = yield [Candidate(places, supernet, "inherited") for places in subsets(space)]
        ranked = sorted(inherited, key=lambda trial: (trial.loss, space.cost(trial.candidate.places)))
        last = yield [Candidate(trial.candidate.places, supernet) for trial in ranked[: self.finalists]]
        chosen = best(space, last).candidate
        first = ranked[0].candidate
        ranking = f"{named(first.places)} is best on the supernet's weights"
        final = f"of {len(last)} trained on, {named(chosen.places)} has the least validation loss"
        steps = (
            Step(tuple(trial.candidate for trial in inherited), first, ranking),
            Step(tuple(trial.candidate for trial in last), chosen, final),
        )
        return Choice(chosen, steps, f"{ranking}; {final}")
