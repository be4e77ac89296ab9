"""Share of the cases whose most probable class is the right one."""

from mrfusion.class_metrics._base import About
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined="never; with one class in the fold it says little")


def accuracy(votes: Votes) -> dict[str, Value]:
    """Correct cases by cases."""
    return {ALL: Value(float(votes.hits.sum() / len(votes.targets)))}
