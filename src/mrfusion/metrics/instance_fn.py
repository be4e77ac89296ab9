"""Missed instances: target lesions that no predicted component stands for, matched one to one."""

from mrfusion.metrics._base import MEASURED, About
from mrfusion.metrics._instances import Size, no_lesion, tally
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About("lesions", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=MEASURED, target_empty=0.0)


def instance_fn(pair: MaskPair, size: Size = "all") -> Value:
    """Number of lesions without a component of their own.

    Options:
        size: all lesions; or large or small ones (from 20 mm3 on, and below), found from a Dice of 0.1 on
    Example: instance_fn(size=large)
    """
    count = tally(pair, size)
    return Value(float(count.missed)) if count else no_lesion(size)
