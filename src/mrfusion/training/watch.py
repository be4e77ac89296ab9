"""What is looked at after each epoch: whether the losses pull against each other, and what becomes of a fused image."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mrfusion.data.batch import Batch, Batches, collate, moved
from mrfusion.data.sample import Draw, LoadedCase, Place
from mrfusion.losses._base import FusedImage
from mrfusion.run_folder.fused import FusedSlice
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.slice_view import upright
from mrfusion.training.objective import Objective
from mrfusion.training.validate import telling_places


class Watch:
    """Looks at a network without changing it: weights, running statistics and random numbers stay what they were.

    Gradients are measured once an epoch on one fixed batch, the first of the training; what a step costs is paid once
    an epoch then. The slice is that of the first validation case which shows most of the target.
    """

    def __init__(
        self,
        batches: Batches,
        cases: Sequence[LoadedCase],
        size: Place,
        *,
        objective: Objective,
        autocast: Callable[[], AbstractContextManager[Any]],
        folder: RunFolder,
    ) -> None:
        self.batches, self.cases, self.size = batches, cases, size
        self.objective, self.autocast, self.folder = objective, autocast, folder

    def look(self, network: nn.Module, losses: Sequence[str], epoch: int) -> dict[Quantity, float]:
        """Rows for the history: ``gradient/<loss>`` and ``cosine/<loss>:<loss>`` where losses meet; leaves the fused
        image of the epoch in the run's folder where the network learns one."""
        network.eval()
        if any(True for fuse in _fusion_nets(network) for _ in fuse.parameters()):
            with torch.inference_mode(), self.autocast():
                output = network(self.slice.images, self.slice.present)
            self._keep(output.fused, epoch)
        return self._conflict(network, losses) if len(losses) > 1 else {}

    @cached_property
    def batch(self) -> Batch:
        """The first batch of the training."""
        return next(iter(self.batches.epoch(0)))

    @cached_property
    def slice(self) -> Batch:
        """One validation sample."""
        draws = [Draw(0, start) for start in telling_places(self.cases[0], self.size, 10)]
        each = [collate(self.cases, [draw], self.size) for draw in draws]
        return moved(max(each, key=lambda batch: int((batch.labels > 0).sum())), self.batches.share.device)

    def _conflict(self, network: nn.Module, names: Sequence[str]) -> dict[Quantity, float]:
        with self.autocast():
            losses = self.objective(network(self.batch.images, self.batch.present), self.batch, names)
        return conflict(losses, [p for p in network.parameters() if p.requires_grad])

    def _keep(self, fused: Sequence[FusedImage], epoch: int) -> None:
        """The fused image of the slice and its sources, as pictures."""
        sources = {name: image for each in fused for name, image in each.sources.items()}
        images = np.stack([_shown(each.image) for each in fused])
        shown = FusedSlice(
            tuple(each.name for each in fused),
            images,
            tuple(sources),
            np.stack([_shown(image) for image in sources.values()]),
        )
        self.folder.write_fused(epoch, shown)


def conflict(losses: dict[str, Tensor], parameters: Sequence[nn.Parameter]) -> dict[Quantity, float]:
    """The norm of each loss's gradient on the parameters that several losses reach, and the cosine of each two.

    -1: what lowers one raises the other by as much; nothing where no parameter is shared; 0 where a gradient vanishes.
    """
    found = {
        name: torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for name, loss in losses.items()
        if loss.requires_grad
    }
    places = [i for i, each in enumerate(zip(*found.values(), strict=True)) if sum(g is not None for g in each) > 1]
    if not places:
        return {}
    flat = {
        name: torch.cat([torch.zeros(parameters[i].numel()) if g[i] is None else g[i].flatten().cpu() for i in places])
        for name, g in found.items()
    }
    unit = {name: each.double() / each.double().norm().clamp(min=1e-30) for name, each in flat.items()}
    norms = {Quantity("gradient", name): float(each.double().norm()) for name, each in flat.items()}
    return norms | {Quantity("cosine", f"{a}:{b}"): float(unit[a] @ unit[b]) for a, b in combinations(flat, 2)}


def _fusion_nets(network: nn.Module) -> list[nn.Module]:
    """The modules of a network that draw fused images."""
    inputs, decoders = getattr(network, "inputs", None), getattr(network, "image_decoders", None)
    found = (getattr(inputs, "fused_images", None), decoders)
    return [module for module in found if isinstance(module, nn.Module)]


def _shown(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The first sample of (b, 1, *xyz), its middle slice, upright, 0-1 as 0-255."""
    plane = image[0, 0].float().cpu()
    middle = plane[plane.shape[0] // 2] if plane.ndim == 3 else plane
    return upright((middle.clamp(0, 1) * 255).round().byte().numpy())
