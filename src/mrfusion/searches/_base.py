"""The contract of a search: a pure function of its history, which proposes rounds of candidates and then concludes."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.kinds import Count, NotNegative, Positive
from mrfusion.plan import FusionPlan, parse_plan

IN_FILE = (
    "arms: {found: {plan: 'separate>mean', search: 'CHOICE'}}"  # how a choice is written; `mrfusion list` shows it
)

Kind = Literal["trained", "null", "supernet", "inherited", "again"]


@dataclass(frozen=True)
class Space:
    """What is searched: the positions 0 .. L-1 (encoder levels, finest first) that a module may be placed at.

    ``costs`` are the parameters that a module adds at each position; ``seed`` serves searches that draw.
    """

    costs: tuple[int, ...]
    seed: int = 0

    @property
    def positions(self) -> range:
        """Every position."""
        return range(len(self.costs))

    def cost(self, places: Iterable[int]) -> int:
        """The parameters that modules at these positions add."""
        return sum(self.costs[place] for place in places)


@dataclass(frozen=True)
class Candidate:
    """A network to be tried: modules at ``places`` (ascending), its weights taken from ``parent``, or new where None.

    ``trained``: trained, with a short budget where it has a parent. ``null``: the parent itself, trained on.
    ``supernet``: trained with random gates. ``inherited``: the parent's weights as they are, nothing is trained.
    ``again``: trained once more, so that the judge of the search can see how much trainings differ by themselves.
    With a ``rival`` it is stopped where it gains less than half of what the rival had gained in as many epochs.
    ``repeat`` 0 has the seed of the search, every other number a seed of its own.
    """

    places: tuple[int, ...]
    parent: "Candidate | None" = None
    kind: Kind = "trained"
    rival: "Candidate | None" = None
    repeat: int = 0


@dataclass(frozen=True)
class Trial:
    """A candidate, the validation loss that it reached at its best epoch, and how each validation patient scored.

    ``scores``: one number a patient, higher is better, the same patients in the same order in every trial of a search;
    NaN where a patient has none.
    """

    candidate: Candidate
    loss: float
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Step:
    """One decision: what was compared, what was accepted (None: nothing), and why."""

    tried: tuple[Candidate, ...]
    accepted: Candidate | None
    why: str


@dataclass(frozen=True)
class Choice:
    """What a search found, the decisions on the way, and why it ended."""

    chosen: Candidate
    steps: tuple[Step, ...]
    why: str


T = TypeVar("T")
Walk = Generator[list[Candidate], list[Trial], T]
"""Yields rounds of candidates, is sent their trials in that order, and returns what it found."""


class Search(ABC):
    """Proposes candidates from what was tried so far; keeps nothing, so there is no state to save.

    ``fusion`` is the module that is placed, a choice of ``fusions`` (in quotes where it has arguments). A candidate
    that starts from a parent's weights is trained for ``epochs`` (default: the run's own number), with ``rate`` times
    the run's learning rate: all of it may throw such weights out of the minimum that they are in. What is found is
    trained again ``repeats`` times, beside as many controls, before it is believed (:mod:`mrfusion.searches._judge`).
    One that ``places`` nothing takes any plan, and answers for an ensemble alone.
    """

    places = True

    def __init__(
        self, fusion: str = "mmtm", *, epochs: Count | None = None, rate: Positive = 1.0, repeats: int = 3
    ) -> None:
        if repeats < 3:
            raise SpecError(
                f"search: repeats must be at least 3, found {repeats}: by chance alone, two trainings beat two "
                "others in 1 of 6 cases"
            )
        self.fusion, self.epochs, self.rate, self.repeats = fusion, epochs, rate, repeats

    def check(self, text: str, plan: FusionPlan, *, ensemble: bool) -> None:
        """SpecError where the search, written as ``text``, cannot begin with a plan, or its answer cannot be an
        ``ensemble``."""
        del ensemble
        parse_plan(f"separate[{self.fusion}]")
        if families.parse(plan.input).name != "separate":
            raise SpecError(
                f"{text}: plan is {str(plan)!r}; modules are placed between the encoders of 'separate' (one decoder) "
                "or 'separate>mean' (late fusion)"
            )

    @abstractmethod
    def walk(self, space: Space) -> Walk[Choice]:
        """The search as a story: yields a round of candidates, is sent their trials in that order, returns a choice.

        It must depend on nothing else: the story is told anew from its beginning at every call.
        """

    def propose(self, space: Space, trials: Sequence[Trial]) -> tuple[Candidate, ...]:
        """The candidates of the present round that have not been tried; none when the search has ended."""
        found = self._replay(space, trials)
        return () if isinstance(found, Choice) else found

    def conclude(self, space: Space, trials: Sequence[Trial]) -> Choice | None:
        """The choice, None while there are candidates to try."""
        found = self._replay(space, trials)
        return found if isinstance(found, Choice) else None

    def _replay(self, space: Space, trials: Sequence[Trial]) -> Choice | tuple[Candidate, ...]:
        known = {trial.candidate: trial for trial in trials}
        walk = self.walk(space)
        proposed = next(walk)
        while True:
            missing = tuple(candidate for candidate in proposed if candidate not in known)
            if missing:
                return missing
            try:
                proposed = walk.send([known[candidate] for candidate in proposed])
            except StopIteration as end:
                return _choice(end)


def _choice(end: StopIteration) -> Choice:
    choice: Choice = end.value
    return choice


class StepwiseSearch(Search):
    """A search that takes the best of each round; losses within ``tau`` of the least are ties
    (:func:`best` says what is taken of them)."""

    def __init__(
        self,
        fusion: str = "mmtm",
        *,
        epochs: Count | None = None,
        rate: Positive = 1.0,
        tau: NotNegative = 0.0,
        repeats: int = 3,
    ) -> None:
        super().__init__(fusion, epochs=epochs, rate=rate, repeats=repeats)
        self.tau = tau


def best(space: Space, trials: Iterable[Trial], tau: float = 0.0) -> Trial:
    """The trial of the least loss; of those within ``tau`` of it the one that adds fewest parameters, or the first."""
    given = list(trials)
    least = min(trial.loss for trial in given)
    tied = [trial for trial in given if trial.loss <= least + tau]
    return min(tied, key=lambda trial: space.cost(trial.candidate.places))


def all_on_path(space: Space) -> int:
    """How many sets with a module are compared on the way from none to all: L + (L - 1) + ... + 1."""
    return len(space.positions) * (len(space.positions) + 1) // 2


def with_place(places: Sequence[int], place: int) -> tuple[int, ...]:
    """The places with one more, ascending."""
    return tuple(sorted((*places, place)))


def without_place(places: Sequence[int], place: int) -> tuple[int, ...]:
    """The places with one less."""
    return tuple(other for other in places if other != place)


def subsets(space: Space) -> list[tuple[int, ...]]:
    """All 2^L sets of positions, small ones first, then by their positions."""
    sets = [tuple(p for p in space.positions if number >> p & 1) for number in range(2 ** len(space.positions))]
    return sorted(sets, key=lambda places: (len(places), places))


def named(places: Sequence[int]) -> str:
    """Positions in words, counted from 1 as the finest level."""
    if not places:
        return "no level"
    return f"level{'s' if len(places) > 1 else ''} {', '.join(str(place + 1) for place in places)}"
