"""The fusion net learns from the segmentation loss that the segmentation net would have one step later."""

from collections.abc import Sequence

from torch import nn

from mrfusion.kinds import NotNegative, Positive
from mrfusion.schedules._base import LookAhead, Phase, Schedule
from mrfusion.schedules._fused import divided, fusion_net, segmentation_net


class Bilevel(Schedule):
    """Both nets at once, as leader and follower, after Fuse4Seg (Guo and Su, arXiv 2409.10328).

    The segmentation net w (follower) takes its ordinary step on the segmentation loss. The fusion net f (leader) does
    not learn from the loss as it is, but from the loss after a step of the follower that is only tried:
    w' = w - ``ahead`` x rate x dL_seg(w, f)/dw, and f learns on L_seg(w', f) and its fusion loss, whose gradient goes
    through w' as well (DARTS, Liu et al. 2019, eq. 7, without its approximation).
    ``ahead=0`` leaves the gradient through w' out: then it is joint training whose fusion loss reaches f alone.
    Differs from the paper: both levels see the same batch, and the nets and losses are those of the specification.
    Costs two passes forward and one through the gradient itself; in single precision or bf16, on one device.

    Options:
        fusion: name of the loss of the fusion net
        fusion_rate: learning rate of the fusion net; default: that of the budget
        ahead: length of the step that is tried, as a share of the learning rate
    Example: bilevel(ahead=1.0)
    """

    def __init__(
        self, *, fusion: str = "fusion", fusion_rate: Positive | None = None, ahead: NotNegative = 1.0
    ) -> None:
        self.fusion, self.fusion_rate, self.ahead = fusion, fusion_rate, ahead

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        net, theirs = fusion_net(network, "bilevel"), divided(losses, self.fusion, "bilevel")
        rates = () if self.fusion_rate is None else ((net, self.fusion_rate),)
        tried = LookAhead(net, segmentation_net(network), theirs, self.ahead)
        return [Phase("bilevel", (network,), tuple(losses), own_rates=rates, look_ahead=tried)]
