"""Mean squared distance between the probabilities and the truth (Brier 1950)."""

import numpy as np

from mrfusion.class_metrics._base import About
from mrfusion.class_metrics._votes import ALL, Votes
from mrfusion.result import Value

ABOUT = About("", (0, 2), "lower", undefined="never")


def brier(votes: Votes) -> dict[str, Value]:
    """Mean over cases of the sum over classes of (p - y)², Brier's own form: 0 to 2.

    The value of a class is its own term, mean (p - y)², 0 to 1: with two classes that is what many libraries call the
    Brier score, half of the cohort's value here.
    """
    terms = np.square(votes.probabilities - votes.truth).mean(axis=0)
    classes = {name: Value(float(term)) for name, term in zip(votes.classes, terms, strict=True)}
    return {ALL: Value(float(terms.sum())), **classes}
