"""Found instances: target lesions that a predicted component of their own stands for, matched one to one."""

from mrfusion.metrics._base import About
from mrfusion.metrics._instances import Size, no_lesion, tally
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About("lesions", (0.0, float("inf")), "higher", both_empty=0.0, prediction_empty=0.0, target_empty=0.0)


def instance_tp(pair: MaskPair, size: Size = "all") -> Value:
    """Number of lesions found, with a component of their own.

    Options:
        size: all lesions; or large or small ones (from 20 mm3 on, and below), found from a Dice of 0.1 on
    Example: instance_tp(size=large)
    """
    count = tally(pair, size)
    return Value(float(count.found)) if count else no_lesion(size)
