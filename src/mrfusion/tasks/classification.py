"""Which class a case has, exactly one of several."""

from mrfusion.case import Case, Cohort
from mrfusion.errors import InputError
from mrfusion.tasks._base import Task


class Classification(Task):
    """The mean of the coarsest map and one linear layer give a logit for each class."""

    losses = ("cross_entropy",)
    metrics = "class_metrics"
    head = "Classifier"
    score = "ClassScore"
    answers = "ClassAnswers"
    of_cases = "log_probability"

    def check(self, cohort: Cohort) -> None:
        if not cohort.classes:
            raise InputError(
                "task: classification needs a class for each case, found none in the data; write a table with "
                "the column label ('mrfusion list layouts table')"
            )

    def is_labelled(self, case: Case) -> bool:
        return case.label is not None

    def channels(self, cohort: Cohort, head: str) -> int:
        del head
        return len(cohort.classes)

    def exclusive(self, head: str) -> bool:
        del head
        return True

    def target(self, head: str) -> str:
        del head
        return "ClassTarget"

    def decision(self, head: str) -> str:
        del head
        return "ClassDecision"

    def energy_classes(self, cohort: Cohort) -> tuple[str, ...]:
        return cohort.classes

    def loss_of(self, score: float) -> float:
        return -score  # the score is minus the sum of the losses
