"""Dice plus cross-entropy, over all decoder levels that have a head."""

from collections.abc import Sequence

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from mrfusion.losses._base import Loss, Output
from mrfusion.losses._processes import of_all_processes
from mrfusion.losses._weights import class_weights

SMOOTH = 1e-5


class DiceCE(Loss):
    """Soft Dice over the batch of all processes (MONAI's) plus cross-entropy, binary for overlapping regions.

    ``weight`` are class weights of the cross-entropy ([0.5, 2, 5, 4] in Li, Zhao, Zhang), one a label with background
    first, or one a region; only their ratios matter. With exclusive labels the Dice leaves background out. Coarser
    heads count 1/2, 1/4, .. of the finest; their targets are every 2nd, 4th, .. grid point along the axes that are
    coarsened; the weights add up to 1 (nnU-Net's deep supervision). MONAI's own DiceCELoss is not used: it takes the
    softmax of overlapping regions, and weighs the Dice too.

    Options:
        weight: class weights of the cross-entropy: one for each label with background first, or one for each
            region; default: all alike
    Example: dice_ce(weight=[0.5,2,5,4])
    """

    weight: Tensor | None

    def __init__(self, exclusive: bool, *, weight: Sequence[float] | None = None) -> None:
        super().__init__(exclusive)
        self.register_buffer("weight", class_weights(weight, "dice_ce"), persistent=False)
        one = {"softmax": True, "to_onehot_y": True, "include_background": False} if exclusive else {"sigmoid": True}
        self.dice = DiceLoss(**one, batch=True, smooth_nr=SMOOTH, smooth_dr=SMOOTH)

    def forward(self, output: Output, target: Tensor) -> Tensor:
        target = target.unsqueeze(1) if self.exclusive else target
        dimensions = output.logits.ndim - 2
        total, weights = torch.zeros((), device=output.logits.device), 0.0
        for level, logits in enumerate((output.logits, *output.coarse)):
            steps = (slice(None, None, step) for step in output.scale(level, dimensions))
            here = target[(slice(None), slice(None), *steps)]
            total = total + 0.5**level * self._one_level(*of_all_processes(logits.float(), here))
            weights += 0.5**level
        return total / weights

    def _one_level(self, logits: Tensor, target: Tensor) -> Tensor:
        dice: Tensor = self.dice(logits, target)
        if self.exclusive:
            return dice + functional.cross_entropy(logits, target.squeeze(1), weight=self.weight)
        weight = None if self.weight is None else self.weight / self.weight.mean()
        shaped = None if weight is None else weight.view(-1, *[1] * (logits.ndim - 2))
        return dice + functional.binary_cross_entropy_with_logits(logits, target, weight=shaped)
