"""Cross-entropy of exclusive classes."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from mrfusion.kinds import BelowOne
from mrfusion.losses._base import Loss, Output
from mrfusion.losses._processes import of_all_processes
from mrfusion.losses._weights import class_weights


class CrossEntropy(Loss):
    """Mean cross-entropy of the logits; ``weight`` are class weights, ``smoothing`` is label smoothing in [0, 1).

    Options:
        weight: one weight for each class; default: all alike
        smoothing: label smoothing
    Example: cross_entropy(smoothing=0.1)
    """

    weight: Tensor | None

    def __init__(self, exclusive: bool, *, weight: Sequence[float] | None = None, smoothing: BelowOne = 0.0) -> None:
        super().__init__(exclusive)
        self.register_buffer("weight", class_weights(weight, "cross_entropy"), persistent=False)
        self.smoothing = smoothing

    def forward(self, output: Output, target: Tensor) -> Tensor:
        logits = output.logits.float()
        if self.weight is not None:  # the mean is over the weights of the batch, not over its samples
            logits, target = of_all_processes(logits, target)
        return functional.cross_entropy(logits, target, weight=self.weight, label_smoothing=self.smoothing)
