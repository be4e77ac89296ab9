"""Our literal reading of equation 5 of Li, Zhao, Zhang: HD95 of found lesions, over all found, missed and false.

Not a good measure: a false lesion makes it *lower*. Nor is it what the paper computed: its 101 to 304 mm, beside an
HD95 of 5 to 44 mm, need a penalty for lesions missed or invented. It stands here to be shown beside ``lesion_hd95``.
"""

from mrfusion.metrics._base import About, metric
from mrfusion.metrics._pair import MaskPair

ABOUT = About(
    "mm",
    (0.0, float("inf")),
    "neither",
    both_empty=0.0,
    prediction_empty=0.0,
    target_empty=0.0,
    note="more false or missed lesions make it lower; 0 where nothing was found",
)


@metric(ABOUT)
def lesion_hd95_literal(pair: MaskPair) -> float:
    """Sum of the HD95 (surfel) of each found lesion over TP + FN + FP; the paper does not say what a miss adds."""
    lesions = pair.lesions
    return float(lesions.hd95_mm[lesions.found].sum()) / lesions.counted if lesions.counted else 0.0
