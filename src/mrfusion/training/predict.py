"""Prediction of a whole case: all slices, or a Gaussian sliding window."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import combinations
from typing import Any, Protocol

import torch
from jaxtyping import Float
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from mrfusion.data.sample import LoadedCase, Place

SLICES_AT_ONCE = 8
OVERLAP = 0.5


class WholeCases(Protocol):
    """Whatever answers for a whole case."""

    def logits(self, case: LoadedCase) -> Float[Tensor, "n s h w"]:
        """Logits of the case's range of slices, on the CPU."""

    def class_logits(self, case: LoadedCase) -> Float[Tensor, " classes"]:
        """Logits of the case's classes, on the CPU."""


class Predictor:
    """A trained network on whole cases, on the device it is on; ``size`` is that of a training sample.

    ``mirror``: each slice or window is predicted in all its mirrors too (4 in 2-D, 8 in 3-D), and the logits, mirrored
    back, are averaged, as nnU-Net does.
    """

    def __init__(
        self,
        network: nn.Module,
        size: Place,
        device: torch.device,
        autocast: Callable[[], AbstractContextManager[Any]],
        *,
        mirror: bool = False,
    ):
        self.network, self.size, self.device, self.autocast = network.eval(), size, device, autocast
        self.mirror = mirror

    @torch.inference_mode()
    def logits(self, case: LoadedCase) -> Float[Tensor, "n s h w"]:
        """Logits of the case's range of slices, on the CPU; boxes of one slice: every slice whole, as the network is
        convolutional; thicker boxes: a window of the training size, half overlapping, weighted by a Gaussian."""
        first, last = case.slices
        present = torch.tensor([case.present], device=self.device)
        images = torch.from_numpy(case.spread(slice(first, last)))
        return self._slices(images, present) if self.size[0] == 1 else self._windows(images, present)

    @torch.inference_mode()
    def class_logits(self, case: LoadedCase) -> Float[Tensor, " classes"]:
        """The mean of the class logits over the case's slices, or over its windows."""
        present = torch.tensor([case.present], device=self.device)
        thickness = self.size[0]
        first, last = case.slices
        starts = range(first, max(first + 1, last - thickness + 1), max(1, thickness // 2))
        found = []
        for start in starts:
            images = torch.from_numpy(case.spread(slice(start, start + thickness))).movedim(1, 0)
            found.append(self._forward(images[:, 0][None] if thickness == 1 else images[None], present))
        return torch.cat(found).mean(0).cpu()

    def _slices(self, images: Tensor, present: Tensor) -> Tensor:
        found = [self._forward(part, present.expand(len(part), -1)) for part in torch.split(images, SLICES_AT_ONCE)]
        return torch.cat([part.cpu() for part in found]).movedim(0, 1)

    def _windows(self, images: Tensor, present: Tensor) -> Tensor:
        volume = images.movedim(1, 0)[None]
        found = sliding_window_inference(
            volume,
            self.size,
            sw_batch_size=2,
            predictor=lambda part: self._forward(part, present.expand(len(part), -1)),
            overlap=OVERLAP,
            mode="gaussian",
            sw_device=self.device,
            device=torch.device("cpu"),
        )
        return found[0]  # type: ignore[no-any-return]

    def _forward(self, images: Tensor, present: Tensor) -> Tensor:
        return over_mirrors(lambda there: self._answer(there, present), images.to(self.device), self.mirror)

    def _answer(self, images: Tensor, present: Tensor) -> Tensor:
        layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
        with self.autocast():
            output = self.network(images.contiguous(memory_format=layout), present)
        return output.logits.float()  # type: ignore[no-any-return]


def over_mirrors(answer: Callable[[Tensor], Tensor], images: Float[Tensor, "b m *xyz"], mirror: bool) -> Tensor:
    """The mean answer over all mirrors of the images, mirrored back; with ``mirror`` false the answer itself."""
    axes = range(2, images.ndim) if mirror else ()
    flips = [flip for count in range(len(axes) + 1) for flip in combinations(axes, count)]
    found = answer(images)
    for flip in flips[1:]:
        more = answer(images.flip(flip))
        found = found + (more.flip(flip) if more.ndim == images.ndim else more)  # of classes nothing turns
    return found / len(flips)
