"""The fusion net on its own loss, then frozen, then the rest of the network on the others."""

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Gt, Le
from torch import nn

from mrfusion.kinds import Positive
from mrfusion.schedules._base import Phase, Schedule
from mrfusion.schedules._fused import divided, fusion_net, segmentation_net


class Decoupled(Schedule):
    """Architecture B of Li, Zhao, Zhang (method 1.1): LRRNet then U-Net.

    The fusion net learns with ``fusion_rate`` (the paper's 1e-4) for ``share`` of the budget's epochs (all of them, as
    in the paper) and stops early on the validation mean of its loss, called ``fusion``; then it is frozen to the bit
    and the rest learns with the budget's rate.

    Options:
        fusion: name of the loss on which the fusion net learns
        fusion_rate: learning rate of the fusion net
        share: share of the epochs in which the fusion net may learn
    Example: decoupled(share=0.5)
    """

    def __init__(
        self,
        *,
        fusion: str = "fusion",
        fusion_rate: Positive = 1e-4,
        share: Annotated[float, Gt(0), Le(1)] = 1.0,
    ) -> None:
        self.fusion, self.fusion_rate, self.share = fusion, fusion_rate, share

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        net, rest = fusion_net(network, "decoupled"), divided(losses, self.fusion, "decoupled")
        first = Phase("fusion", (net,), (self.fusion,), own_rates=((net, self.fusion_rate),), span=(0.0, self.share),
                      watch=self.fusion)  # fmt: skip
        return [first, Phase("segmentation", segmentation_net(network), rest)]
