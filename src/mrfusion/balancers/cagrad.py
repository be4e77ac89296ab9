"""The worst-served loss is lowered most, near the mean gradient (CAGrad, Liu et al. 2021); extra [cagrad]."""

from torch import Tensor
from torchjd.aggregation import CAGrad

from mrfusion.balancers._gradients import GradientBalancer
from mrfusion.errors import SpecError
from mrfusion.kinds import BelowOne


class Cagrad(GradientBalancer):
    """torchjd's CAGrad; ``c`` in [0, 1) is how far the step may leave the mean gradient, in shares of its length.

    It solves a cone programme by cvxpy and clarabel, which come with ``pip install 'mrfusion[cagrad]'``.

    Options:
        c: how far the step may leave the mean gradient, as a share of its length
        unit: whether each gradient is first brought to length 1
    Example: cagrad(c=0.4)
    """

    def __init__(self, *, c: BelowOne = 0.5, unit: bool = False) -> None:
        super().__init__(unit=unit)
        try:
            self.method = CAGrad(c)
        except ImportError as error:
            raise SpecError(f"balancer cagrad needs cvxpy: pip install 'mrfusion[cagrad]' ({error})") from None

    def weigh(self, gramian: Tensor) -> Tensor:
        weights: Tensor = self.method.gramian_weighting(gramian)
        return weights
