"""A gradient that conflicts with another loses its part along it (PCGrad, Yu et al. 2020)."""

import torch
from torch import Tensor
from torchjd.aggregation import PCGrad

from mrfusion.balancers._gradients import GradientBalancer


class Pcgrad(GradientBalancer):
    """torchjd's PCGrad. Where no gradients conflict, their plain sum.

    Options:
        unit: whether each gradient is first brought to length 1
    Example: pcgrad(unit=true)
    """

    def weigh(self, gramian: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):  # it draws an order; a training's random numbers stay what they were
            weights: Tensor = PCGrad().gramian_weighting(gramian)
        return weights
