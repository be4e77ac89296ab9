"""Recall of instances: the share of target lesions that a predicted component stands for, matched one to one."""

from mrfusion.metrics._base import UNDEFINED, About
from mrfusion.metrics._instances import Size, no_lesion, share, tally
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About("1", (0.0, 1.0), "higher", both_empty=UNDEFINED, prediction_empty=0.0, target_empty=UNDEFINED)


def instance_recall(pair: MaskPair, size: Size = "all") -> Value:
    """TP / (TP + FN) of one size of lesions.

    Options:
        size: all lesions; or large or small ones (from 20 mm3 on, and below), found from a Dice of 0.1 on
    Example: instance_recall(size=large)
    """
    count = tally(pair, size)
    if count is None:
        return no_lesion(size)
    return share(count.found, count.found + count.missed, size, "the target has no lesion")
