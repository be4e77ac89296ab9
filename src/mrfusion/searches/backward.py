"""Sequential backward search: from modules at every level, takes away what is not missed."""

from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk, best, named, without_place


class Backward(Search):
    """From all positions on, remove one module a round, the one whose removal leaves the least validation loss.

    Candidates start from the larger network's weights, beside a null candidate that trains it on. A removal is accepted
    if loss <= min(parent, null) - ``min_delta``, so that a module which makes no difference goes; ties within ``tau``:
    what leaves fewer parameters. [ours: the paper searches forward only]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of each candidate after the first; default: those of the budget
        rate: learning rate of candidates that start from trained weights, as a share of the budget's
        min_delta: how much smaller the validation loss must be; at least 0
        tau: losses this close count as equal; at least 0
    Example: backward(fusion=mmtm)
    """

    def __init__(
        self,
        fusion: str = "mmtm",
        *,
        epochs: int | None = None,
        rate: float = 1.0,
        min_delta: float = 0.0,
        tau: float = 0.0,
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate)
        self.min_delta, self.tau = min_delta, tau

    def walk(self, space: Space) -> Walk[Choice]:
        (present,) = yield [Candidate(tuple(space.positions))]
        steps: list[Step] = []
        while present.candidate.places:
            parent = present.candidate
            fewer = [Candidate(without_place(parent.places, place), parent) for place in parent.places]
            null, *trials = yield [Candidate(parent.places, parent, "null"), *fewer]
            winner, bar = best(space, trials, self.tau), min(present.loss, null.loss)
            tried = (null.candidate, *fewer)
            says = f"{named(winner.candidate.places)}: loss {winner.loss:.4g} against {bar:.4g}"
            if winner.loss > bar - self.min_delta:
                steps.append(Step(tried, None, f"every module is missed; {says}"))
                return Choice(parent, tuple(steps), steps[-1].why)
            steps.append(Step(tried, winner.candidate, says))
            present = winner
        return Choice(present.candidate, tuple(steps), "no module is left")
