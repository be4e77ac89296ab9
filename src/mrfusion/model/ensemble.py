"""Several networks as one: the mean of their probabilities."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfusion.losses._base import Output


class Ensemble(nn.Module):
    """Members whose probabilities are averaged: softmax where classes exclude each other, otherwise sigmoid."""

    def __init__(self, members: Sequence[nn.Module], *, exclusive: bool) -> None:
        super().__init__()
        self.members, self.exclusive = nn.ModuleList(members), exclusive
        strides = [member.stride for member in members]
        self.stride = tuple(math.lcm(*axis) for axis in zip(*strides, strict=True))

    def forward(self, images: Tensor, present: Tensor) -> Output:
        """The logits of the mean probabilities, in float32."""
        each = torch.stack([member(images, present).logits.float() for member in self.members])
        inside = functional.log_softmax(each, 2) if self.exclusive else functional.logsigmoid(each)
        mean = torch.logsumexp(inside, 0) - torch.log(torch.tensor(float(len(each))))
        if self.exclusive:
            return Output(mean)
        outside = torch.logsumexp(functional.logsigmoid(-each), 0) - torch.log(torch.tensor(float(len(each))))
        return Output(mean - outside)
