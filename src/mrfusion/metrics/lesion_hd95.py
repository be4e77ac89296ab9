"""Lesion-wise HD95: the mean HD95 over found, missed and false lesions; the last two count the penalty."""

import numpy as np

from mrfusion.metrics._base import MEASURED, About, metric
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value

ABOUT = About(
    "mm",
    (0.0, float("inf")),
    "lower",
    both_empty=0.0,
    prediction_empty=MEASURED,
    target_empty=MEASURED,
    note="penalised wherever a missed or false lesion stands in the mean; 0 wherever no lesion counts",
)


@metric(ABOUT)
def lesion_hd95(pair: MaskPair) -> Value:
    """Sum of the HD95 (surfel) of each target lesion, the penalty for each miss and false lesion, over TP + FN + FP."""
    lesions = pair.lesions
    if not lesions.counted:
        return Value(0.0)
    each = np.where(lesions.found, lesions.hd95_mm, pair.penalty_mm)
    value = (float(each.sum()) + lesions.false * pair.penalty_mm) / lesions.counted
    if not lesions.missed and not lesions.false:
        return Value(value)
    return Value(value, "penalised", f"{lesions.missed} missed and {lesions.false} false lesions")
