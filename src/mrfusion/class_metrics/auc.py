"""Area under the ROC curve, each class against the rest, and their mean (macro)."""

import numpy as np

from mrfusion.class_metrics._base import ABSENT, About, each_class
from mrfusion.class_metrics._votes import Votes
from mrfusion.result import Value

ABOUT = About("", (0, 1), "higher", undefined=f"{ABSENT}; for a class that all cases belong to")


def auc(votes: Votes) -> dict[str, Value]:
    """How often a case of the class gets a higher probability for it than another case; ties count half.

    That is the Mann-Whitney statistic (Hanley and McNeil 1982), equal to the area under the empirical curve. With two
    classes the three values are one: the usual binary AUC. 0.5 is chance.
    """

    def of(k: int) -> Value:
        members = votes.truth[:, k]
        if members.all():
            return Value.undefined(f"all cases belong to class {votes.classes[k]!r}")
        others = np.sort(votes.probabilities[~members, k])
        below = np.searchsorted(others, votes.probabilities[members, k], side="left")
        not_above = np.searchsorted(others, votes.probabilities[members, k], side="right")
        return Value(float((below + not_above).mean() / 2 / len(others)))

    return each_class(votes, of)
