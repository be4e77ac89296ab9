"""Share of the cases called a class that belong to it, per class and as their mean."""

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=ABSENT)


def precision(votes: Votes) -> dict[str, Value]:
    """TP / (TP + FP); 0 and ``penalised`` for a class that occurs and is never predicted.

    Leaving such a class out would reward the classifier that always gives the same answer.
    """

    def of(k: int) -> Value:
        if not votes.called[k]:
            return Value(0.0, "penalised", f"class {votes.classes[k]!r} is never predicted")
        return Value(float(votes.hits[k] / votes.called[k]))

    return each_class(votes, of)
