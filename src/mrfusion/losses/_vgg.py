"""VGG-16 up to relu4_3, what the fusion loss compares images by; its weights are a choice that is said aloud."""

import hashlib
from pathlib import Path
from pickle import UnpicklingError

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from mrfusion.errors import InputError, SpecError

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))  # channels of the convolutions, block by block
EXTRACTORS = ("random_vgg", "vgg16")


class Vgg(nn.Module):
    """The convolutions of VGG-16 (Simonyan and Zisserman 2015) to conv4_3, frozen; not part of any saved network.

    Numbered as torchvision's ``features``, whose weight files it reads. ``width`` scales all channels, for
    ``random_vgg`` on a small machine; ``identity`` says which weights these are.
    """

    def __init__(self, identity: str, width: float = 1.0) -> None:
        super().__init__()
        self.identity = identity
        self.features = nn.ModuleDict()
        number, channels = 0, 3
        for block in _BLOCKS:
            for full in block:
                wide = max(1, round(full * width))
                self.features[str(number)] = nn.Conv2d(channels, wide, 3, padding=1)
                number, channels = number + 2, wide  # a ReLU between
            number += 1  # a pooling between
        self.requires_grad_(False)

    def forward(self, images: Float[Tensor, "b 1 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """relu1_2, relu2_2, relu3_3, relu4_3 of grey images in 0-255, in three equal channels, nothing subtracted."""
        layers = iter(self.features.values())
        maps: list[Tensor] = []
        values = images.expand(-1, 3, -1, -1)
        for block in _BLOCKS:
            values = functional.max_pool2d(values, 2) if maps else values
            for _ in block:
                values = functional.relu(next(layers)(values))
            maps.append(values)
        return maps


def make_extractor(kind: str, *, weights: str | None, width: float, seed: int) -> Vgg:
    """The extractor named ``kind``; SpecError where its options do not fit, InputError where its file does not."""
    if kind not in EXTRACTORS:
        raise SpecError(f"loss fusion: no extractor is called {kind!r}; there are {' and '.join(EXTRACTORS)}")
    if (kind == "vgg16") != (weights is not None):
        raise SpecError(
            f"loss fusion: extractor {kind} {'needs' if kind == 'vgg16' else 'takes no'} weights; write "
            "fusion(extractor=vgg16, weights='<file>') with torchvision's weights of VGG-16, or fusion() for random"
        )
    if kind == "vgg16" and width != 1.0:
        raise SpecError("loss fusion: only random_vgg takes a width; a file has the width it has")
    return _random_vgg(width, seed) if weights is None else _vgg_from(Path(weights))


def _random_vgg(width: float, seed: int) -> Vgg:
    """He's normal weights from a fixed seed, biases 0: the same in every run and on every machine."""
    vgg, generator = Vgg(f"random_vgg, width {width:g}, seed {seed}", width), torch.Generator().manual_seed(seed)
    for layer in vgg.features.values():
        assert isinstance(layer, nn.Conv2d)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    return vgg


def _vgg_from(path: Path) -> Vgg:
    """Weights as torchvision saves them; reading them cannot run code. Layers behind conv4_3 are left out."""
    try:
        vgg = Vgg(f"vgg16, {path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
        wanted = vgg.state_dict()
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        vgg.load_state_dict({name: found[name] for name in wanted})
    except KeyError as error:
        raise InputError(f"expected torchvision's VGG-16 at {path}, found no {error} in it") from None
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, SafetensorError, UnpicklingError) as error:
        raise InputError(f"expected torchvision's weights of VGG-16 at {path}, found: {error}") from None
    return vgg
