"""F1 of instances, the recognition quality of panoptic quality: how well lesions are detected, matched one to one."""

from mrfusion.metrics._base import UNDEFINED, About
from mrfusion.metrics._instances import NOTHING, Size, no_lesion, share, tally
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=UNDEFINED, prediction_empty=0.0, target_empty=0.0)


def instance_f1(pair: MaskPair, size: Size = "all") -> Value:
    """2 TP / (2 TP + FP + FN) of one size of lesions.

    Options:
        size: all lesions; or large or small ones (from 20 mm3 on, and below), found from a Dice of 0.1 on
    Example: instance_f1(size=large)
    """
    count = tally(pair, size)
    if count is None:
        return no_lesion(size)
    return share(2 * count.found, 2 * count.found + count.false + count.missed, size, NOTHING)
