"""Floating-point operations of one sample through a network, so that arms of equal size can be told from equal work."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mrfusion.data.sample import Place


def count_flops(network: nn.Module, size: Place, *, modalities: int, dimensions: int) -> int:
    """Operations of one forward pass of a sample of ``size`` (S, H, W): convolutions and matrix products, 2 a multiply.

    Element-wise work is not counted, as is usual. The network is left in evaluation mode.
    """
    device = next(network.parameters()).device
    images = torch.zeros((1, modalities, *(size[1:] if dimensions == 2 else size)), device=device)
    present = torch.ones((1, modalities), dtype=torch.bool, device=device)
    network.eval()
    # not inference_mode: the counter's hooks cannot read weights that are computed in it, such as orthogonal ones
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images, present)
    return int(counter.get_total_flops())
