"""What one epoch's steps leave: losses, terms and weights, and the batch that is to blame where one is not finite."""

from collections.abc import Mapping
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mrfusion.errors import TrainingError
from mrfusion.run_folder.quantity import Quantity


class Record:
    """The steps of one epoch: every loss and term, kept on its device until the epoch ends, and every weight."""

    def __init__(self) -> None:
        self.names: list[Quantity] = []
        self.steps: list[Tensor] = []
        self.weights: list[dict[str, float]] = []
        self.ids: list[tuple[str, ...]] = []

    def add(
        self,
        ids: tuple[str, ...],
        losses: Mapping[str, Tensor],
        terms: Mapping[str, Tensor],
        weights: dict[str, float],
    ) -> None:
        """Keep one step."""
        self.names = [*(Quantity("train", name) for name in losses), *(Quantity("term", name) for name in terms)]
        self.steps.append(torch.stack([value.detach().float() for value in (*losses.values(), *terms.values())]))
        self.weights.append(weights)
        self.ids.append(ids)

    def checked(self, fabric: Fabric, epoch: int) -> dict[Quantity, float]:
        """The means over the epoch: ``train/<loss>``, ``term/<loss>/<term>``, ``weight/<loss>``.

        TrainingError, naming the batch, where a value is not finite.
        """
        values = cast(Tensor, fabric.all_reduce(torch.stack(self.steps))).cpu()
        bad = (~values.isfinite()).any(1).nonzero().flatten().tolist()
        if bad:
            raise TrainingError(
                f"a loss is not finite in epoch {epoch + 1}, batch {bad[0] + 1} of {len(self.ids)} (cases "
                f"{', '.join(sorted(set(self.ids[bad[0]])))}); the state of the epoch before is kept. Look at these "
                "cases with 'mrfusion inspect', or lower budget.learning_rate"
            )
        means = dict(zip(self.names, values.mean(0).tolist(), strict=True))
        count = len(self.weights)
        return means | {Quantity("weight", k): sum(w[k] for w in self.weights) / count for k in self.weights[-1]}
