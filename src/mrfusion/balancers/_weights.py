"""Balancers that give each loss a weight, by the values of the losses alone."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchjd.scalarization import Scalarizer

from mrfusion.balancers._base import Balancer, RunBackward


class Scalarised(Balancer):
    """A scalarizer of torchjd; the weight of a loss is the derivative of its total by that loss.

    So one backward pass does, whatever the method. A loss that is alone is left alone.
    """

    one_process = True
    scalarizer: Scalarizer

    @abstractmethod
    def make(self, count: int) -> Scalarizer:
        """The scalarizer of so many losses."""

    def begin(self, names: Sequence[str]) -> None:
        super().begin(names)
        self.scalarizer = self.make(len(self.names))

    def backward(
        self, losses: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], run_backward: RunBackward
    ) -> dict[str, float]:
        del parameters
        if tuple(losses) != self.names:
            self.begin(tuple(losses))
        values = torch.stack(list(losses.values()))
        if len(values) == 1:
            run_backward(values.sum())
            return dict.fromkeys(losses, 1.0)
        leaf = values.detach().float().requires_grad_()
        total = self.scalarizer(leaf)
        (weights,) = torch.autograd.grad(total, leaf, retain_graph=True)
        run_backward(total + (weights * values).sum())  # total: for parameters of the scalarizer's own
        return dict(zip(losses, weights.tolist(), strict=True))


class Remembering(Scalarised):
    """A scalarizer whose memory is no parameter, so that it is saved here."""

    @abstractmethod
    def memory(self) -> dict[str, Any]:
        """What it remembers: tensors, numbers, lists and dictionaries of them."""

    @abstractmethod
    def remember(self, memory: Mapping[str, Any]) -> None:
        """Take a memory back."""

    def get_extra_state(self) -> dict[str, Any]:
        return {"names": list(self.names), "memory": self.memory()} if self.names else {}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        if state:
            if list(self.names) != state["names"]:
                self.begin(state["names"])
            self.remember(state["memory"])
