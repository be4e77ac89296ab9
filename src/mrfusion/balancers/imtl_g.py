"""A step whose projections on all gradients are equal, whatever their size (IMTL-G, Liu et al. 2021)."""

from torch import Tensor
from torchjd.aggregation import IMTLG

from mrfusion.balancers._gradients import GradientBalancer


class ImtlG(GradientBalancer):
    """torchjd's IMTLG, on gradients of one length: the direction is the same by construction, and losses of very
    different scale are not lost in rounding. Weights may be negative; they are 0 where no such step exists.
    """

    def __init__(self) -> None:
        super().__init__(unit=True)

    def weigh(self, gramian: Tensor) -> Tensor:
        weights: Tensor = IMTLG().gramian_weighting(gramian)
        return weights
