"""Fusion net and segmentation net together on all losses; warm start and stopped gradients are options."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from mrfusion.kinds import BelowOne, Positive
from mrfusion.schedules._base import Phase, Schedule
from mrfusion.schedules._fused import divided, fusion_net, segmentation_net


class Joint(Schedule):
    """Architecture C of Li, Zhao, Zhang (method 1.1): one objective, all parameters.

    ``fusion_rate`` is the fusion net's learning rate; the budget's where none is given (the paper has 1e-4 for both).
    ``warm`` [ours]: a share of the budget; the fusion net first learns on its own loss for so many epochs, then,
    frozen, the rest does, and only what is left of the budget is joint. The segmentation net so sees as many epochs,
    at the same learning rates, as without a warm start; the fusion net sees ``warm`` more.
    ``stop`` [ours]: ``segmentation`` keeps the gradient of what reads the fused image from the fusion net, ``fusion``
    keeps the fusion loss from training anything (it is still recorded in validation).

    Options:
        fusion: name of the loss of the fusion net
        fusion_rate: learning rate of the fusion net; default: that of the budget
        warm: share of the epochs in which both nets learn apart before they learn together
        stop: nothing, or whose gradient is kept from the fusion net: segmentation or fusion
    Example: joint(warm=0.25)
    """

    def __init__(
        self,
        *,
        fusion: str = "fusion",
        fusion_rate: Positive | None = None,
        warm: BelowOne = 0.0,
        stop: Literal["nothing", "segmentation", "fusion"] = "nothing",
    ) -> None:
        self.fusion, self.fusion_rate, self.warm, self.stop = fusion, fusion_rate, warm, stop

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        net = fusion_net(network, "joint")
        rates = () if self.fusion_rate is None else ((net, self.fusion_rate),)
        trained = divided(losses, self.fusion, "joint") if self.stop == "fusion" else tuple(losses)
        together = Phase("joint", (network,), trained, own_rates=rates, span=(self.warm, 1.0),
                         stop_gradient=self.stop == "segmentation")  # fmt: skip
        return [*self._before(network, net, losses, rates), together] if self.warm else [together]

    def _before(
        self, network: nn.Module, net: nn.Module, losses: Sequence[str], rates: tuple[tuple[nn.Module, float], ...]
    ) -> list[Phase]:
        span, rest = (0.0, self.warm), divided(losses, self.fusion, "joint")
        return [
            Phase("fusion", (net,), (self.fusion,), own_rates=rates, span=span, watch=self.fusion),
            Phase("segmentation", segmentation_net(network), rest, span=span),
        ]
