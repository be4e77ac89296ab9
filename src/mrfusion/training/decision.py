"""From logits to what they say: masks of regions, or the probabilities of classes."""

import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.spec import RunSpec
from mrfusion.training.objective import region_table


class RegionDecision(nn.Module):
    """A voxel belongs to a region where its logit is above 0; regions may overlap."""

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        del cohort

    def forward(self, logits: Tensor) -> Tensor:
        return logits > 0

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of each region, (b, regions, *xyz)."""
        return torch.sigmoid(logits.float())


class LabelDecision(nn.Module):
    """A voxel has the label of its highest logit, and belongs to every region that holds the label."""

    table: Tensor

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        self.register_buffer("table", region_table(cohort), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        return self.table[:, logits.argmax(1)].movedim(0, 1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of each region, (b, regions, *xyz): the sum over its labels."""
        return torch.einsum("rl,bl...->br...", self.table.float(), torch.softmax(logits.float(), 1))


class ClassDecision(nn.Module):
    """The probabilities of the classes, (b, classes)."""

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        del cohort

    def forward(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits.float(), 1)


def make_decision(spec: RunSpec, cohort: Cohort) -> nn.Module:
    """What a run's logits mean: (b, n, *xyz) -> booleans (b, regions, *xyz), or (b, n) -> probabilities."""
    decision: nn.Module = families.piece(__name__, spec.chosen_task.decision(spec.head))(cohort)
    return decision
