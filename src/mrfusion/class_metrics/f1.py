"""Harmonic mean of precision and sensitivity, per class and as their mean (macro)."""

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=ABSENT)


def f1(votes: Votes) -> dict[str, Value]:
    """2 TP / (2 TP + FP + FN); 0 for a class that occurs and is never predicted."""
    return each_class(votes, lambda k: Value(float(2 * votes.hits[k] / (votes.occurring[k] + votes.called[k]))))
