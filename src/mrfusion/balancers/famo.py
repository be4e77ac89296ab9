"""All losses fall at one rate, from their values alone (FAMO, Liu, Feng, Stone, Liu 2023)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchjd.scalarization import FAMO

from mrfusion.balancers._weights import Remembering
from mrfusion.kinds import Positive


class Famo(Remembering):
    """torchjd's FAMO. After each step the same batch's losses are computed once more, which costs a forward pass.

    Options:
        lr: step size with which the weights are learned
    Example: famo(lr=0.01)
    """

    scalarizer: FAMO

    def __init__(self, *, lr: Positive = 0.025) -> None:
        super().__init__()
        self.lr = lr

    def make(self, count: int) -> FAMO:
        return FAMO(count, lr=self.lr)

    def after_step(self, again: Callable[[], Mapping[str, Tensor]]) -> None:
        if len(self.names) > 1:
            self.scalarizer.update(torch.stack([loss.detach().float() for loss in again().values()]))

    def memory(self) -> dict[str, Any]:
        optimiser = self.scalarizer._optimizer
        return {} if optimiser is None else {"optimiser": optimiser.state_dict()}

    def remember(self, memory: Mapping[str, Any]) -> None:
        if memory:
            own = self.scalarizer
            own._optimizer = torch.optim.Adam([own._w], lr=own.lr, weight_decay=own.weight_decay)
            own._optimizer.load_state_dict(memory["optimiser"])
