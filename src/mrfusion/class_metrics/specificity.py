"""Share of the other classes' cases that were not called this class, per class and as their mean."""

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=f"{ABSENT}; for a class that all cases belong to")


def specificity(votes: Votes) -> dict[str, Value]:
    """TN / (TN + FP); with two classes, one's specificity is the other's sensitivity."""

    def of(k: int) -> Value:
        others = len(votes.targets) - votes.occurring[k]
        if not others:
            return Value.undefined(f"all cases belong to class {votes.classes[k]!r}")
        return Value(float(1 - (votes.called[k] - votes.hits[k]) / others))

    return each_class(votes, of)
