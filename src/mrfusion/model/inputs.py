"""From images and what is present to the streams that enter the encoders."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion import families
from mrfusion.image_fusions._base import unit_range
from mrfusion.losses._base import FusedImage
from mrfusion.plan import FusionPlan


class Inputs(nn.Module):
    """One stream of all channels (``concat``, ``fused``, ``only``) or one stream a modality (``separate``).

    ``images`` are zero where a modality is absent: the network sees to it, before anything that crosses modalities.
    The channel of an absent modality of ``concat`` stays zero, or holds the learned number of ``concat(fill=learned)``;
    an image fusion reads zeros in place of a source that is absent. ``stop_gradient`` keeps the gradient of what reads
    the streams from the image fusions; a schedule sets it.
    """

    def __init__(self, plan: FusionPlan, modalities: Sequence[str]) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.separate = plan.input.startswith("separate")
        self.fused_images = nn.ModuleList(_image_fusion(text, self.modalities) for text in plan.images)
        self.names = plan.images
        self.sources: list[tuple[str, ...]] = [fuse.modalities for fuse in self.fused_images]  # type: ignore[misc]
        self.streams = len(modalities) if self.separate else 1
        self.own = 0 if plan.input.startswith("fused") else len(modalities)  # how many are channels themselves
        self.channels = 1 if self.separate else self.own + len(plan.images)
        self.fills = nn.ModuleList(Fill(len(modalities)) for _ in range(plan.fill == "learned"))
        self.stop_gradient = False

    def forward(
        self, images: Float[Tensor, "b m *xyz"], present: Bool[Tensor, "b m"]
    ) -> tuple[list[Tensor], Bool[Tensor, "b s"], list[FusedImage]]:
        """The streams (b, channels, *xyz), which of them are present, and the images that were fused on the way."""
        if self.separate:
            return list(torch.split(images, 1, dim=1)), present, []
        fused = [
            self.beside_sources(name, fuse(self._chosen(images, of)), images, present, of=of)
            for name, of, fuse in zip(self.names, self.sources, self.fused_images, strict=True)
        ]
        more = [(each.image.detach() if self.stop_gradient else each.image) for each in fused]
        for fill in self.fills:
            images = fill(images, present)
        return [torch.cat((images[:, : self.own], *more), 1) if more else images], present.any(1, keepdim=True), fused

    def beside_sources(
        self, name: str, image: Tensor, images: Tensor, present: Tensor, *, of: Sequence[str]
    ) -> FusedImage:
        """A fused image beside the images ``of`` the modalities that it was made from, in [0, 1]."""
        return self._beside(name, image, unit_range(self._chosen(images, of)), present, of)

    def weighed(self, name: str, weights: Tensor, images: Tensor, present: Tensor, *, of: Sequence[str]) -> FusedImage:
        """The fused image that is the sum of the images ``of`` some modalities, in [0, 1], times their ``weights``."""
        sources = unit_range(self._chosen(images, of))
        return self._beside(name, (weights * sources).sum(1, keepdim=True), sources, present, of)

    def _beside(self, name: str, image: Tensor, sources: Tensor, present: Tensor, of: Sequence[str]) -> FusedImage:
        complete = self._chosen(present, of).all(1)
        return FusedImage(name, image, dict(zip(of, torch.split(sources, 1, dim=1), strict=True)), complete)

    def _chosen(self, values: Tensor, names: Sequence[str]) -> Tensor:
        return values[:, [self.modalities.index(name) for name in names]]


class Fill(nn.Module):
    """One learned number a modality, the whole channel's where the modality is absent. Starts as 0."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(modalities))

    def forward(self, images: Float[Tensor, "b m *xyz"], present: Bool[Tensor, "b m"]) -> Float[Tensor, "b m *xyz"]:
        single = [1] * (images.ndim - 2)
        return torch.where(present.view(*present.shape, *single), images, self.value.view(1, -1, *single))


def _image_fusion(text: str, modalities: tuple[str, ...]) -> nn.Module:
    """The image fusion named by ``text``; of all modalities where it names none."""
    given = families.parse(text).args
    return families.load("image_fusions", text)(*(() if given else modalities))  # type: ignore[no-any-return]
