"""Share of a class's cases that were found (recall), per class and as their mean."""

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=ABSENT)


def sensitivity(votes: Votes) -> dict[str, Value]:
    """TP / (TP + FN); the mean over classes is the balanced accuracy."""
    return each_class(votes, lambda k: Value(float(votes.hits[k] / votes.occurring[k])))
