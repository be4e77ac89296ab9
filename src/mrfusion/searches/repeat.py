"""Nothing is searched: the arm's own network, trained several times from new weights; for an ensemble of them."""

from typing import Annotated

from annotated_types import Ge, Le

from mrfusion.errors import SpecError
from mrfusion.plan import FusionPlan
from mrfusion.searches._base import Candidate, Choice, Search, Space, Step, Walk


class Repeat(Search):
    """The mean of the probabilities of ``trainings`` networks that differ in their seeds alone (deep ensembles,
    Lakshminarayanan et al. 2017), as a stated term of an arm: ``ensemble: repeat(trainings=3)``.

    Each fold and seed of the study has trainings of its own, so that arms stay paired; the others of the same fold cost
    what they cost, and the report says so. Any plan will do.

    Options:
        trainings: how many networks answer together
    Example: repeat(trainings=3)
    """

    places = False

    def __init__(self, *, trainings: Annotated[int, Ge(2), Le(50)] = 3) -> None:
        super().__init__()
        self.trainings = trainings

    def check(self, text: str, plan: FusionPlan, *, ensemble: bool) -> None:
        del plan
        if not ensemble:
            raise SpecError(f"search: {text} chooses nothing; write it as ensemble: {text}")

    def walk(self, space: Space) -> Walk[Choice]:
        del space
        trials = yield [Candidate((), repeat=number) for number in range(self.trainings)]
        first = trials[0].candidate
        why = f"{self.trainings} trainings of one network answer together; nothing was chosen among them"
        return Choice(first, (Step(tuple(trial.candidate for trial in trials), first, why),), why)
