"""A loss that is no mean over samples needs the whole batch, also where several processes have a share of it each."""

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather


def of_all_processes(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the samples of all processes, in their order; gradients flow back to the process that has the sample.

    Unchanged in one process, and where nothing learns: in validation every process has all samples. The mean that DDP
    takes of the processes' gradients is then the gradient of one process with the whole batch.
    """
    if not logits.requires_grad or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return logits, target
    return torch.cat(all_gather(logits)), torch.cat(all_gather(target))  # type: ignore[no-untyped-call]
