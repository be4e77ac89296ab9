"""Everything at once: one phase, all parameters, all losses."""

from collections.abc import Sequence

from torch import nn

from mrfusion.schedules._base import Phase, Schedule


class EndToEnd(Schedule):
    """One phase that trains the whole network on every loss."""

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        return [Phase("end_to_end", (network,), tuple(losses))]
