"""Dice of instances: the mean over lesions that a predicted component stands for, matched one to one."""

from mrfusion.metrics._base import UNDEFINED, About
from mrfusion.metrics._instances import Over, Statistic, averaged
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

_NONE = Value(0.0, "penalised", "no lesion was found")
ABOUT = About(
    "1",
    (0.0, 1.0),
    "higher",
    both_empty=UNDEFINED,
    prediction_empty=_NONE,
    target_empty=_NONE,
    note="over=large: missed large lesions and false components count 0; undefined without a large lesion",
)


def instance_dice(pair: MaskPair, over: Over = "found", statistic: Statistic = "mean") -> Value:
    """Mean (or std) of the Dice of each lesion with its component.

    Options:
        over: found, the lesions that were found; large, the large ones (from 20 mm3 on) and the false components
        statistic: mean, or std for the standard deviation
    Example: instance_dice(over=large)
    """
    return averaged(pair, pair.instances.dice, over, statistic, charge=0.0, worst=0.0)
