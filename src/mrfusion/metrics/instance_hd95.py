"""HD95 of instances: the mean over lesions that a predicted component stands for, matched one to one."""

from mrfusion.metrics._base import UNDEFINED, About
from mrfusion.metrics._instances import Over, Statistic, averaged
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

_NONE = Value(float("inf"), "penalised", "no lesion was found")
ABOUT = About(
    "mm",
    (0.0, float("inf")),
    "lower",
    both_empty=UNDEFINED,
    prediction_empty=_NONE,
    target_empty=_NONE,
    note="over=large: the rule's penalty for missed large lesions and false components; undefined without a large one",
)


def instance_hd95(pair: MaskPair, over: Over = "found", statistic: Statistic = "mean") -> Value:
    """Mean (or std) in mm of each lesion's ``hd95(variant=pooled)``; infinite where no lesion was found.

    Options:
        over: found, the lesions that were found; large, the large ones (from 20 mm3 on) and the false components
        statistic: mean, or std for the standard deviation
    Example: instance_hd95(over=large)
    """
    return averaged(pair, pair.instance_hd95_mm, over, statistic, charge=pair.penalty_mm, worst=float("inf"))
