"""False instances: predicted components that stand for no target lesion, matched one to one."""

from mrfusion.metrics._base import MEASURED, About
from mrfusion.metrics._instances import Size, no_lesion, tally
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About("lesions", (0.0, float("inf")), "lower", both_empty=0.0, prediction_empty=0.0, target_empty=MEASURED)


def instance_fp(pair: MaskPair, size: Size = "all") -> Value:
    """Number of components without a lesion, of whatever size; no value where the target has no lesion of the size.

    Options:
        size: all lesions; or large or small ones (from 20 mm3 on, and below), found from a Dice of 0.1 on
    Example: instance_fp(size=large)
    """
    count = tally(pair, size)
    return Value(float(count.false)) if count else no_lesion(size)
