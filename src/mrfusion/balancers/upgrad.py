"""Each gradient is projected to where no loss rises, then they are averaged (UPGrad, Quinton and Rey 2024)."""

from torch import Tensor
from torchjd.aggregation import UPGrad

from mrfusion.balancers._gradients import GradientBalancer


class Upgrad(GradientBalancer):
    """torchjd's UPGrad. A step along the result raises no loss, to first order.

    Options:
        unit: whether each gradient is first brought to length 1
    Example: upgrad(unit=true)
    """

    def weigh(self, gramian: Tensor) -> Tensor:
        weights: Tensor = UPGrad().gramian_weighting(gramian)
        return weights
