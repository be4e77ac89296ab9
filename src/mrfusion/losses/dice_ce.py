"""Dice plus cross-entropy, over all decoder levels that have a head."""

from collections.abc import Sequence

import torch
from monai.losses import DiceCELoss
from torch import Tensor

from mrfusion.losses._base import Loss, Output


class DiceCE(Loss):
    """Soft Dice over the batch plus (binary, for overlapping regions) cross-entropy, by MONAI.

    ``weight`` are class weights of the cross-entropy ([0.5, 2, 5, 4] in Li, Zhao, Zhang), one a label with background
    first, or one a region. With exclusive labels the Dice leaves background out. Coarser heads count 1/2, 1/4, .. of
    the finest, their targets are every 2nd, 4th, .. grid point; the weights add up to 1 (nnU-Net's deep supervision).
    """

    def __init__(self, exclusive: bool, *, weight: Sequence[float] | None = None) -> None:
        super().__init__(exclusive)
        weights = None if weight is None else torch.tensor(weight)
        one = {"softmax": True, "to_onehot_y": True, "include_background": False} if exclusive else {"sigmoid": True}
        self.one_level = DiceCELoss(**one, batch=True, weight=weights, smooth_nr=1e-5, smooth_dr=1e-5)

    def forward(self, output: Output, target: Tensor) -> Tensor:
        target = target.unsqueeze(1) if self.exclusive else target
        dimensions = output.logits.ndim - 2
        total, weights = torch.zeros((), device=output.logits.device), 0.0
        for level, logits in enumerate((output.logits, *output.coarse)):
            here = target[(slice(None), slice(None), *[slice(None, None, 2**level)] * dimensions)]
            total = total + 0.5**level * self.one_level(logits.float(), here)
            weights += 0.5**level
        return total / weights
