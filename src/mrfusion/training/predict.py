"""Prediction of a whole case: whole slices where they fit, else a Gaussian sliding window."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from mrfusion.data.sample import LoadedCase, Place

WINDOWS_AT_ONCE = {2: 8, 3: 2}
OVERLAP = 0.5


class Predictor:
    """A trained network on whole cases, on the device it is on; ``size`` is that of a training sample."""

    def __init__(
        self, network: nn.Module, size: Place, device: torch.device, autocast: Callable[[], AbstractContextManager[Any]]
    ):
        self.network, self.size, self.device, self.autocast = network.eval(), size, device, autocast

    @torch.inference_mode()
    def logits(self, case: LoadedCase) -> Float[Tensor, "n s h w"]:
        """Logits of the case's range of slices, on the CPU.

        A window has the size of a training sample, so that norms see what they saw in training: where a slice fits
        into it, the slice is read whole; otherwise windows overlap by half and are weighted by a Gaussian.
        """
        first, last = case.slices
        present = torch.tensor([case.present], device=self.device)
        images = torch.from_numpy(np.ascontiguousarray(case.images[first:last], dtype=np.float32))
        if self.size[0] == 1:
            return self._windows(images, self.size[1:], present).movedim(0, 1)
        return self._windows(images.movedim(1, 0)[None], self.size, present)[0]

    @torch.inference_mode()
    def class_logits(self, case: LoadedCase) -> Float[Tensor, " classes"]:
        """The mean of the class logits over the case's slices, or over its windows."""
        present = torch.tensor([case.present], device=self.device)
        thickness = self.size[0]
        first, last = case.slices
        starts = range(first, max(first + 1, last - thickness + 1), max(1, thickness // 2))
        found = []
        for start in starts:
            box = np.ascontiguousarray(case.images[start : start + thickness], dtype=np.float32)
            images = torch.from_numpy(box).movedim(1, 0)
            found.append(self._forward(images[:, 0][None] if thickness == 1 else images[None], present))
        return torch.cat(found).mean(0).cpu()

    def _windows(self, images: Tensor, window: tuple[int, ...], present: Tensor) -> Tensor:
        return sliding_window_inference(  # type: ignore[no-any-return]
            images,
            window,
            sw_batch_size=WINDOWS_AT_ONCE[len(window)],
            predictor=lambda part: self._forward(part, present.expand(len(part), -1)),
            overlap=OVERLAP,
            mode="gaussian",
            sw_device=self.device,
            device=torch.device("cpu"),
        )

    def _forward(self, images: Tensor, present: Tensor) -> Tensor:
        layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
        with self.autocast():
            output = self.network(images.to(self.device).contiguous(memory_format=layout), present)
        return output.logits.float()  # type: ignore[no-any-return]
