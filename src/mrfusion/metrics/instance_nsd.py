"""Normalised surface Dice of instances: the mean over lesions that a predicted component stands for."""

import numpy as np

from mrfusion.kinds import NotNegative
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


def instance_nsd(
    pair: MaskPair, tolerance_mm: NotNegative = 1.0, over: Over = "found", statistic: Statistic = "mean"
) -> Value:
    """Mean (or std) of each lesion's ``nsd(variant=voxel)`` against its component.

    Options:
        tolerance_mm: largest distance in mm that still counts as agreement
        over: found, the lesions that were found; large, the large ones (from 20 mm3 on) and the false components
        statistic: mean, or std for the standard deviation
    Example: instance_nsd(over=large)
    """
    each = [
        sum(np.count_nonzero(distance <= tolerance_mm) / len(distance) for distance in both) / 2
        for both in pair.instance_distances_mm
    ]
    return averaged(pair, np.array(each, np.float64), over, statistic, charge=0.0, worst=0.0)
