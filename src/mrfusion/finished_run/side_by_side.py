"""Trained networks as one module whose answers stand side by side: what an export writes down."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion.training.predict import over_mirrors


class SideBySide(nn.Module):
    """Logits of every member, (1, members * n, *grid), or (1, members * n) of classes, in single precision.

    They are not averaged here, because windows of a case are put together before probabilities are taken. With
    ``mirror`` each member's logits are those over all mirrors of the grid.
    """

    def __init__(self, members: Sequence[nn.Module], *, mirror: bool) -> None:
        super().__init__()
        self.members, self.mirror = nn.ModuleList(members), mirror

    def forward(self, images: Float[Tensor, "1 m *xyz"], present: Bool[Tensor, "1 m"]) -> Tensor:
        """What all members say."""
        found = [self._one(member, images, present) for member in self.members]
        return torch.cat(found, 1) if len(found) > 1 else found[0]

    def _one(self, member: nn.Module, images: Tensor, present: Tensor) -> Tensor:
        return over_mirrors(lambda there: member(there, present).logits.float(), images, self.mirror)
