"""Somebody else's network as it is, behind a plan with one stream: early fusion, one modality, a fused image."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrfusion import families
from mrfusion.backbones._base import Backbone, Whole
from mrfusion.errors import SpecError
from mrfusion.fusions._base import where_present
from mrfusion.losses._base import Output
from mrfusion.model.inputs import Inputs
from mrfusion.model.network import drawn_apart, padded
from mrfusion.plan import FusionPlan

MULTIPLE = 32  # of the grids of a class that does not say


class Given(Whole):
    """A module's class from anyone's package, called with ``in_channels``, ``out_channels`` and ``spatial_dims``."""

    def __init__(self, make: partial[nn.Module], dimensions: int, *, multiple: int) -> None:
        super().__init__(dimensions, multiple=multiple)
        self.make = make

    def network(self, in_channels: int, out_channels: int) -> nn.Module:
        """SpecError where the class cannot be called so, as classes of MONAI's that want more options."""
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "spatial_dims": self.dimensions}
        try:
            return self.make(**sizes)
        except Exception as error:  # of somebody else's code, which may raise anything
            name = self.make.func.__name__ if isinstance(self.make.func, type) else str(self.make)
            said = ", ".join(f"{key}={value}" for key, value in sizes.items())
            raise SpecError(
                f"network: {name} cannot be built with {said} and the options that were given: {error}. Options go in "
                "the text, as in 'package.module:Class(channels=[16,32],strides=[2])'; networks of MONAI's are written "
                "'monai(SwinUNETR,feature_size=24)'"
            ) from None


def backbone_named(text: str, dimensions: int) -> Backbone | Whole:
    """What a network is made of, by its text; a class of modules from anyone's package is a whole network."""
    choice = families.load("backbones", text)
    kind = choice.func if isinstance(choice, partial) else choice
    if isinstance(kind, type) and issubclass(kind, nn.Module):
        return Given(partial(choice), dimensions, multiple=getattr(kind, "multiple", MULTIPLE))
    try:
        made: Backbone | Whole = choice(dimensions=dimensions)
    except TypeError as error:  # says after its name what a class lacks
        lacks = str(error).rpartition("() ")[2]
        raise SpecError(
            f"network: {text!r} is not all that it takes ({lacks}); 'mrfusion list backbones' shows an example of each"
        ) from None
    return made


class WholeNetwork(nn.Module):
    """A whole network for the modalities that a plan reads, in their order; SpecError where several streams meet.

    Its first weights are drawn from torch's seed alone.
    """

    def __init__(self, plan: FusionPlan, modalities: Sequence[str], whole: Whole, out_channels: int) -> None:
        super().__init__()
        if plan.input.startswith("separate") or plan.output != "single":
            raise SpecError(
                f"plan {str(plan)!r} needs the levels of a network; a network that is taken as it is reads one stream: "
                "write concat, only(x) or fused, or another network"
            )
        self.stride, self.out_channels = (whole.multiple,) * whole.dimensions, out_channels
        with drawn_apart("inputs"):
            self.inputs = Inputs(plan, modalities)
        with drawn_apart("network"):
            self.network = whole.network(self.inputs.channels, out_channels)
        self.fusions = nn.ModuleList()

    @torch.no_grad()
    def check(self, text: str) -> None:
        """SpecError unless the network gives logits for a small image; ``text`` is what a specification calls it."""
        grid, training = [2 * step for step in self.stride], self.training
        images = torch.zeros(1, len(self.inputs.modalities), *grid)
        try:
            logits = self.eval()(images, torch.ones(images.shape[:2], dtype=torch.bool)).logits
        except Exception as error:  # of somebody else's code, which may raise anything
            raise SpecError(f"network {text} fails on images of {grid}: {type(error).__name__}: {error}") from None
        self.train(training)
        if tuple(logits.shape) not in ((1, self.out_channels), (1, self.out_channels, *grid)):
            expected = (1, self.out_channels, *grid)
            raise SpecError(
                f"network {text}: expected logits of {expected}, found {tuple(logits.shape)}; mend the network"
            )

    def forward(self, images: Float[Tensor, "b m *xyz"], present: Bool[Tensor, "b m"]) -> Output:
        """Logits on the grid of ``images``; the grid is padded with zeros to a multiple and cut back."""
        grid = images.shape[2:]
        images = padded(where_present(images, present), self.stride)
        (stream,), _, fused = self.inputs(images, present)
        answer = self.network(stream)
        finest, *coarse = answer if isinstance(answer, list | tuple) else (answer,)
        whole = (slice(None), slice(None), *(slice(n) for n in grid))
        return Output(finest[whole] if finest.ndim > 2 else finest, coarse if self.training else [], [], fused, [])
