"""From images and what is present to the streams that enter the encoders."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion import families
from mrfusion.fusions._base import where_present
from mrfusion.plan import FusionPlan


class Inputs(nn.Module):
    """One stream of all channels (``concat``, ``only``) or one stream a modality (``separate``).

    An absent modality is replaced by zeros here, before anything that crosses modalities.
    """

    def __init__(self, plan: FusionPlan, modalities: Sequence[str]) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.separate = plan.input == "separate"
        self.fused_images = nn.ModuleList(families.load("image_fusions", text)() for text in plan.images)
        self.streams = len(modalities) if self.separate else 1
        self.channels = 1 if self.separate else len(modalities) + len(plan.images)

    def forward(
        self, images: Float[Tensor, "b m *xyz"], present: Bool[Tensor, "b m"]
    ) -> tuple[list[Tensor], Bool[Tensor, "b s"]]:
        """The streams (b, channels, *xyz) and which of them are present."""
        images = where_present(images, present)
        if self.separate:
            return list(torch.split(images, 1, dim=1)), present
        more = [fuse(images[:, self._channels_of(fuse)]) for fuse in self.fused_images]
        return [torch.cat((images, *more), 1) if more else images], present.any(1, keepdim=True)

    def _channels_of(self, fuse: nn.Module) -> list[int]:
        names: tuple[str, ...] = fuse.modalities or self.modalities  # type: ignore[assignment]
        return [self.modalities.index(name) for name in names]
