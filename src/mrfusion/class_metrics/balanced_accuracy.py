"""Mean over the classes of the share of their cases that were found."""

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=ABSENT)


def balanced_accuracy(votes: Votes) -> dict[str, Value]:
    """Mean of TP / (TP + FN); chance is 1 / classes, whatever their sizes."""
    found = each_class(votes, lambda k: Value(float(votes.hits[k] / votes.occurring[k])))
    return {ALL: found[ALL]}
