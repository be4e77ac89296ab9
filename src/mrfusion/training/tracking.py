"""What a training tells the trackers that a user asked for: its numbers, and one validation sample as a picture."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mrfusion.data.batch import Batch
from mrfusion.losses._base import Output
from mrfusion.result import CaseScore
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.slice_view import grey, outline, upright
from mrfusion.trackers._base import Tracker

WANTED, ANSWERED = (80, 220, 100), (255, 90, 90)  # outlines of the target and of the prediction, in red, green, blue


class Picture:
    """One fixed validation sample with the outlines of its target and of what the network answers."""

    def __init__(
        self,
        sample: Callable[[], Batch],
        masks: Callable[[Output, Batch], tuple[Tensor, Tensor] | None],
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.sample, self.masks, self.autocast = sample, masks, autocast

    @torch.inference_mode()
    def of(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The picture (H, W, 3): each modality beside the next, the slice that shows most of the target.

        None where the task has no masks to outline.
        """
        batch = self.sample()
        network.eval()
        with self.autocast():
            found = self.masks(network(batch.images, batch.present), batch)
        if found is None:
            return None
        wanted = found[0].bool()
        images, target, prediction = (_one_slice(each, wanted) for each in (batch.images, wanted, found[1]))
        tiles = [_outlined(grey(upright(image)), upright(target), upright(prediction)) for image in images]
        return np.concatenate(tiles, axis=1)


class Tracking:
    """The trackers of a run; without any, nothing is computed and nothing is told."""

    def __init__(self, trackers: Sequence[Tracker] = ()) -> None:
        self.trackers = trackers

    def epoch(self, number: int, values: Mapping[Quantity, float], network: nn.Module, picture: Picture | None) -> None:
        """Tell an epoch's numbers, and a picture of what the network answers where there is one to show."""
        shown = picture.of(network) if self.trackers and picture is not None else None
        for tracker in self.trackers:
            tracker.numbers(number, {str(quantity): value for quantity, value in values.items()})
            if shown is not None:
                tracker.picture(number, "validation", shown)

    def scores(self, number: int, scores: Sequence[CaseScore]) -> None:
        """Tell the mean over the scored cases of each region and metric, then close the logs."""
        found: dict[str, list[float]] = {}
        for score in scores:
            if np.isfinite(score.value):
                found.setdefault(f"cases/{score.metric}/{score.region}", []).append(score.value)
        for tracker in self.trackers:
            tracker.numbers(number, {name: float(np.mean(values)) for name, values in found.items()})
            tracker.end()


def _one_slice(values: Tensor, wanted: Tensor) -> NDArray[Any]:
    """The first sample of (b, n, *xyz) as (n, H, W); of a volume the slice with most of what is wanted."""
    first = values[0].float().cpu().numpy()
    if first.ndim == 3:
        return np.asarray(first)
    most = int(wanted[0].sum((0, 2, 3)).argmax())
    return np.asarray(first[:, most])


def _outlined(image_HW: NDArray[np.uint8], target: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.uint8]:
    """A grey image in colours, with the borders of the masks (regions, H, W)."""
    shown = np.repeat(image_HW[:, :, None], 3, axis=2)
    for masks, colour in ((target, WANTED), (prediction, ANSWERED)):
        for mask in masks > 0:
            shown[outline(mask)] = colour
    return shown
