"""Sequential forward search with warm start and a null candidate: adds the best position as long as it helps."""

from typing import Literal

from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Trial, Walk, best, named, with_place


class Forward(Search):
    """Guarrasi et al. (arXiv 2505.02467): from late fusion, add one module a round, the one of least validation loss.

    Every candidate of a round starts from the weights of the network it extends; the null candidate is that network
    trained on with the same budget, since a candidate has simply been trained longer than its parent. [ours]
    Accepted: loss < min(parent, null) - ``min_delta``. Ties within ``tau``: fewer added parameters, then the finer
    level. [ours] ``mode=greedy`` stops at the first round that nothing is accepted in; ``mode=full_path`` goes on until
    every position is taken and returns the best network on the way, null candidates among them. [ours]
    ``race``: the null candidate is trained first, and a candidate that gains less than half of what the null candidate
    had gained in as many epochs is stopped. [ours]

    Options:
        fusion: the fusion module that is placed, as text
        epochs: epochs of each candidate after the first; default: those of the budget
        rate: learning rate of candidates that start from trained weights, as a share of the budget's
        mode: greedy (stops when nothing helps) or full_path (goes on to the end and returns the best)
        min_delta: how much smaller the validation loss must be; at least 0
        tau: losses this close count as equal; at least 0
        race: whether candidates that fall behind are stopped early
    Example: forward(fusion=mmtm,epochs=10)
    """

    def __init__(
        self,
        fusion: str = "mmtm",
        *,
        epochs: int | None = None,
        rate: float = 1.0,
        mode: Literal["greedy", "full_path"] = "greedy",
        min_delta: float = 0.001,
        tau: float = 0.0,
        race: bool = False,
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate)
        self.full_path = mode == "full_path"
        self.min_delta, self.tau, self.race = min_delta, tau, race

    def walk(self, space: Space) -> Walk[Choice]:
        (present,) = yield [Candidate(())]
        steps: list[Step] = []
        path = [present]
        while len(present.candidate.places) < len(space.positions):
            null, *added = yield from self._round(space, present)
            winner = best(space, added, self.tau)
            step = self._judge(present, null, winner, tuple(trial.candidate for trial in (null, *added)))
            steps.append(step)
            if step.accepted is None and not self.full_path:
                return Choice(present.candidate, tuple(steps), step.why)
            path += [null, winner]
            present = winner
        if self.full_path:
            chosen = best(space, path, self.tau).candidate
            return Choice(chosen, tuple(steps), f"the path has ended; its best network has {named(chosen.places)}")
        return Choice(present.candidate, tuple(steps), "every position is taken")

    def _round(self, space: Space, present: Trial) -> Walk[list[Trial]]:
        """The trials of a round, the null candidate's first."""
        parent = present.candidate
        null = Candidate(parent.places, parent, "null")
        rival = null if self.race else None
        free = [place for place in space.positions if place not in parent.places]
        added = [Candidate(with_place(parent.places, place), parent, "trained", rival) for place in free]
        if not self.race:
            trials = yield [null, *added]
            return trials
        (first,) = yield [null]
        others = yield added
        return [first, *others]

    def _judge(self, present: Trial, null: Trial, winner: Trial, tried: tuple[Candidate, ...]) -> Step:
        """Whether the winner beats the network it extends and that network trained on."""
        bar, role = min((present.loss, "its parent's"), (null.loss, "the null candidate's"))
        says = f"{named(winner.candidate.places)}: loss {winner.loss:.4g} against {role} {bar:.4g}"
        if winner.loss < bar - self.min_delta:
            return Step(tried, winner.candidate, says)
        return Step(tried, None, f"nothing was better by more than {self.min_delta:g}; {says}")
