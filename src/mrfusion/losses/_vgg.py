"""VGG-16 up to relu4_3, what the fusion loss compares images by; its weights are a choice that is said aloud."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from mrfusion.errors import InputError, SpecError, nearest, reason

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))  # channels of the convolutions, block by block
DEEPEST = _BLOCKS[-1][-1]  # channels of relu4_3 at full width
EXTRACTORS = {"random_vgg": "torchvision", "vgg16": "torchvision", "vgg16_caffe": "caffe"}  # and their scale


@dataclass(frozen=True)
class Scale:
    """What a network expects of an image in 0-255, channel by channel: less ``mean``, divided by ``deviation``.

    ``unit`` brings its features back to grey levels: the gammas of the loss were chosen for a network that divides by
    nothing (Caffe's). [ours]
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    unit: float


SCALES = {
    "torchvision": Scale((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 57.63),  # of RGB
    "caffe": Scale((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), 1.0),  # of BGR, as its weights are
}


class Vgg(nn.Module):
    """The convolutions of VGG-16 (Simonyan and Zisserman 2015) to conv4_3, frozen; not part of any saved network.

    Numbered as torchvision's ``features``, whose weight files it reads. ``width`` scales all channels, for
    ``random_vgg`` on a small machine; ``identity`` says which weights these are; ``scale``, of ``SCALES``, what they
    expect. An image is brought to that scale before the first convolution, not by its weights: zeros around the image
    then are the mean grey, as in the network's own training.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, identity: str, width: float = 1.0, scale: str = "torchvision") -> None:
        super().__init__()
        self.identity, self.unit = f"{identity}, {scale} scale", SCALES[scale].unit
        for name in ("mean", "deviation"):
            value = torch.tensor(getattr(SCALES[scale], name)).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)
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
        """relu1_2, relu2_2, relu3_3, relu4_3, in grey levels, of grey images in 0-255, as three equal channels."""
        layers = iter(self.features.values())
        maps: list[Tensor] = []
        values = (images.expand(-1, 3, -1, -1) - self.mean) / self.deviation
        for block in _BLOCKS:
            values = functional.max_pool2d(values, 2) if maps else values
            for _ in block:
                values = functional.relu(next(layers)(values))
            maps.append(values)
        return [self.unit * values for values in maps]


def make_extractor(kind: str, *, weights: str | None, width: float, seed: int) -> Vgg:
    """The extractor named ``kind``; SpecError where its options do not fit, InputError where its file does not."""
    if kind not in EXTRACTORS:
        raise SpecError(f"loss fusion: no extractor is called {kind!r}; {nearest(kind, EXTRACTORS)}")
    if (kind != "random_vgg") != (weights is not None):
        raise SpecError(
            f"loss fusion: extractor {kind} {'takes no' if kind == 'random_vgg' else 'needs'} weights; write "
            "fusion(extractor=vgg16, weights='<file>') with torchvision's weights of VGG-16, or fusion() for random"
        )
    if kind != "random_vgg" and width != 1.0:
        raise SpecError("loss fusion: only random_vgg takes a width; a file has the width it has")
    return _random_vgg(width, seed) if weights is None else _vgg_from(Path(weights), EXTRACTORS[kind])


def _random_vgg(width: float, seed: int) -> Vgg:
    """He's normal weights from a fixed seed, biases 0: the same in every run and on every machine."""
    vgg, generator = Vgg(f"random_vgg, width {width:g}, seed {seed}", width), torch.Generator().manual_seed(seed)
    for layer in vgg.features.values():
        assert isinstance(layer, nn.Conv2d)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    return vgg


def _vgg_from(path: Path, scale: str) -> Vgg:
    """Weights as torchvision saves them, or named conv1_1 to conv4_3 as fast neural style does; reading them cannot
    run code. Layers behind conv4_3 are left out."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        vgg = Vgg(f"vgg16, {path.name}, SHA-256 {digest}", scale=scale)
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        names = vgg.state_dict()
        theirs = names if "features.0.weight" in found else _styled(names)
        vgg.load_state_dict({name: found[other] for name, other in zip(names, theirs, strict=True)})
    except KeyError as error:
        raise InputError(f"expected torchvision's VGG-16 at {path}, found no {error} in it") from None
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, SafetensorError, UnpicklingError) as error:
        raise InputError(f"expected torchvision's weights of VGG-16 at {path}, found: {reason(error)}") from None
    return vgg


def _styled(names: Iterable[str]) -> list[str]:
    """The names of the same weights in files of fast neural style, which number blocks and convolutions in them."""
    layers = [f"conv{b + 1}_{c + 1}" for b, block in enumerate(_BLOCKS) for c in range(len(block))]
    return [f"{layers[number // 2]}.{name.rsplit('.', 1)[1]}" for number, name in enumerate(names)]
