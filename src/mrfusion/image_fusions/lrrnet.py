"""LRRNet: a learned low-rank and sparse part of each image, added up to one fused image."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mrfusion.errors import SpecError
from mrfusion.image_fusions._base import ImageFusion, min_max, unit_range
from mrfusion.kinds import Count, CountFrom0

FIRST_THRESHOLD = 0.01


class Lrrnet(ImageFusion):
    """LRRNet (Li, Xu, Wu, Lu, Kittler, TPAMI 2023) for any number of modalities, ``lrrnet(t1c,t2f,n=16)``.

    Each modality x has an encoder of its own (:class:`SparseCode`), whose 2n channels are split into L_m (the first n)
    and S_m (the last n); nothing enforces a low rank. Decoder: a 3x3 convolution n -> 1 for every L_m and S_m, the M
    results of each kind through a 3x3 to one channel, and I_f = L_f + S_f. 49 204 parameters for two modalities and
    n = 128, the paper's.

    Differs from the paper: reads images in [0, 1]; thresholds pass a softplus; the fused image is stretched to [0, 1]
    before anything reads it, so the segmentation network and the loss see the same image and its scale cannot drift.
    A volume is fused slice by slice and stretched as a whole.

    Options:
        modalities: the modalities that are fused; default: all that the plan reads
        n: channels of the low-rank part and of the sparse part
        iterations: steps of the learned sparse coding
    Example: lrrnet(t1c,t2f,n=16)
    """

    def __init__(self, *modalities: str, n: Count = 128, iterations: CountFrom0 = 4) -> None:
        super().__init__(*modalities)
        if not modalities:
            raise SpecError("expected lrrnet(x,y) with modalities, found none")
        count = len(modalities)
        self.n = n
        self.encoders = nn.ModuleList(SparseCode(2 * n, iterations) for _ in modalities)
        self.low_rank = nn.ModuleList(_convolution(n, 1) for _ in modalities)
        self.sparse = nn.ModuleList(_convolution(n, 1) for _ in modalities)
        self.join_low_rank, self.join_sparse = _convolution(count, 1), _convolution(count, 1)

    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        scaled = unit_range(images)
        slices = scaled.movedim(2, 1).flatten(0, 1) if scaled.ndim == 5 else scaled
        fused = self._fuse(slices)
        if scaled.ndim == 5:
            fused = fused.view(len(images), -1, *fused.shape[1:]).movedim(1, 2)
        return min_max(fused)

    def _fuse(self, slices: Float[Tensor, "b k h w"]) -> Float[Tensor, "b 1 h w"]:
        codes = [encode(slices[:, i : i + 1]) for i, encode in enumerate(self.encoders)]
        low_rank = [draw(code[:, : self.n]) for draw, code in zip(self.low_rank, codes, strict=True)]
        sparse = [draw(code[:, self.n :]) for draw, code in zip(self.sparse, codes, strict=True)]
        return self.join_low_rank(torch.cat(low_rank, 1)) + self.join_sparse(torch.cat(sparse, 1))  # type: ignore[no-any-return]


class SparseCode(nn.Module):
    """Z_0 = eta(W_0 x; theta), Z_{k+1} = eta(lambda Z_k + W'_k (x - W_k Z_k); theta): a learned sparse code of x.

    ``first`` = W_0, ``back[k]`` = W'_k (1 -> channels), ``forth[k]`` = W_k (channels -> 1), 3x3 with reflection
    padding; ``theta``, one a channel, and the scalar ``keep`` = lambda are shared over k.
    Differs from the authors' code: theta = softplus(raw) stays positive; there it can turn negative, and then eta
    expands. It begins at 0.01 and lambda at 1, which the paper does not say.
    """

    def __init__(self, channels: int, iterations: int) -> None:
        super().__init__()
        self.first = _convolution(1, channels)
        self.back = nn.ModuleList(_convolution(1, channels) for _ in range(iterations))
        self.forth = nn.ModuleList(_convolution(channels, 1) for _ in range(iterations))
        self.raw_threshold = nn.Parameter(torch.full((channels,), math.log(math.expm1(FIRST_THRESHOLD))))
        self.keep = nn.Parameter(torch.ones(()))

    @property
    def threshold(self) -> Float[Tensor, "c 1 1"]:
        """theta, above 0."""
        return functional.softplus(self.raw_threshold).view(-1, 1, 1)

    def forward(self, image: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
        theta = self.threshold
        code = soft_threshold(self.first(image), theta)
        for back, forth in zip(self.back, self.forth, strict=True):
            code = soft_threshold(self.keep * code + back(image - forth(code)), theta)
        return code


def soft_threshold(values: Tensor, threshold: Tensor) -> Tensor:
    """eta(r; theta) = sign(r) max(|r| - theta, 0), for theta >= 0."""
    return functional.relu(values - threshold) - functional.relu(-values - threshold)


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect")
