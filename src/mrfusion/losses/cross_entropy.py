"""Cross-entropy of exclusive classes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mrfusion.losses._base import Loss, Output


class CrossEntropy(Loss):
    """Mean cross-entropy of the logits; ``weight`` are class weights, ``smoothing`` is label smoothing in [0, 1)."""

    weight: Tensor | None

    def __init__(self, exclusive: bool, *, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> None:
        super().__init__(exclusive)
        self.register_buffer("weight", None if weight is None else torch.tensor(weight), persistent=False)
        self.smoothing = smoothing

    def forward(self, output: Output, target: Tensor) -> Tensor:
        return functional.cross_entropy(
            output.logits.float(), target, weight=self.weight, label_smoothing=self.smoothing
        )
