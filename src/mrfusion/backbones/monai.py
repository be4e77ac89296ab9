"""Any network of MONAI's, whole: for plans with one stream."""

import inspect
from typing import Any

from monai.networks import nets
from torch import nn

from mrfusion.backbones._base import Whole
from mrfusion.errors import SpecError, nearest

OF_INPUT = {"in_channels", "n_input_channels"}  # what MONAI's classes call the channels of images
OF_OUTPUT = {"out_channels", "num_classes"}  # and of logits


class Monai(Whole):
    """A class of ``monai.networks.nets`` as it is, for early fusion, one modality, or a fused image.

    It is built with ``spatial_dims``, the numbers of channels of images and logits, and the options that are given.
    Weights are never fetched: a class that offers them begins without.

    Options:
        name: the class, as MONAI writes it
        multiple: grids are padded to a multiple of it, along each axis
        options: every other option goes to the class; default: its own
    Example: monai(SwinUNETR,feature_size=24)
    """

    def __init__(self, name: str, dimensions: int, *, multiple: int = 32, **options: Any) -> None:
        super().__init__(dimensions, multiple=multiple)
        found = getattr(nets, name, None)
        if not isinstance(found, type) or not issubclass(found, nn.Module):
            known = [key for key, value in vars(nets).items() if isinstance(value, type) and key[0].isupper()]
            raise SpecError(f"network: MONAI has no network {name!r}; {nearest(name, known)}")
        if options.get("pretrained"):
            raise SpecError(f"network: monai({name}): pretrained weights are not fetched; leave pretrained out")
        self.kind, self.options, self.known = found, options, set(inspect.signature(found).parameters)
        if "pretrained" in self.known:
            self.options["pretrained"] = False

    def network(self, in_channels: int, out_channels: int) -> nn.Module:
        named = (OF_INPUT & self.known) or OF_INPUT, (OF_OUTPUT & self.known) or OF_OUTPUT
        sizes = {"spatial_dims": self.dimensions, min(named[0]): in_channels, max(named[1]): out_channels}
        try:
            return self.kind(**sizes, **self.options)
        except (TypeError, ValueError, AssertionError, NotImplementedError) as error:
            raise SpecError(
                f"network: monai({self.kind.__name__}) cannot be built with these options: {error}"
            ) from None
