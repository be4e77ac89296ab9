"""Trained networks as one module whose answers stand side by side: what an export writes down."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SideBySide(nn.Module):
    """Logits of every member, (1, members * n, *grid), or (1, members * n) of classes, in single precision.

    They are not averaged here, because windows of a case are put together before probabilities are taken. Mirrors are
    left to who asks: a slice is mirrored before it is padded to what a traced network can take.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Float[Tensor, "1 m *xyz"], present: Bool[Tensor, "1 m"]) -> Tensor:
        """What all members say."""
        found = [member(images, present).logits.float() for member in self.members]
        return torch.cat(found, 1) if len(found) > 1 else found[0]
