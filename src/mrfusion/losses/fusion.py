"""The multi-level fusion loss: a fused image keeps one modality's detail and another's contrast."""

from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor
from torch.nn import functional

from mrfusion.errors import SpecError
from mrfusion.losses._base import FusedImage, Itemised, Loss, Output
from mrfusion.losses._vgg import DEEPEST, make_extractor

_CONTRAST, _DETAIL = 3.0, 0.5  # the mixture that the middle levels are held against


class Fusion(Loss):
    """LRRNet's loss (Li et al., TPAMI 2023), mapped to MRI by Li, Zhao, Zhang; method 1.3.

    Images I are in [0, 1] (as read by the network) times 255; Phi_j are VGG-16's relu1_2, relu2_2, relu3_3, relu4_3;
    d the ``detail`` modality (T2-FLAIR), c the ``contrast`` modality (T1-CE):

    ======= ================== ==========================================================================
    pixel   gamma_1 = 10       MSE(I_f, I_d)
    shallow gamma_2 = 1.5      MSE(Phi_1(I_f), Phi_1(I_d))
    middle  1                  sum over j of a_j MSE(Phi_j(I_f), 3 Phi_j(I_c) + 0.5 Phi_j(I_d)), a_2 = .01, a_3 = .5
    deep    gamma_4 = 2000     MSE(Gram(Phi_4(I_f)), Gram(Phi_4(I_c))), Gram divided by 512 H W
    ======= ================== ==========================================================================

    The four terms are recorded without their weights. ``extractor=vgg16, weights=FILE`` reads torchvision's weights,
    ``vgg16_caffe`` weights that expect 0-255 less the mean, as LRRNet's do; the default ``random_vgg`` needs no file,
    has fixed random weights from ``seed`` and may be thinner (``width``). Which it was is recorded.
    The gammas belong to Caffe's scale, so the features of a network that expects (x / 255 - mean) / deviation are
    multiplied by 57.63, 255 times its mean deviation: errors then are in grey levels whatever the file. [ours] The Gram
    matrix is divided by the 512 channels of the full width, so that a thinner network does not change the balance.
    Differs from the paper: a background that is exactly 0 in a prepared image is black, a sample that lacks d or c
    counts nothing, and the slices of a volume are compared one by one.

    Options:
        detail: the modality whose pixels and fine structure the fused image keeps
        contrast: the modality whose contrast the fused image keeps
        extractor: vgg16 or vgg16_caffe (both need weights), or random_vgg (no file)
        weights: path of a weight file for vgg16 or vgg16_caffe; default: none
        width: channels of random_vgg as a share of VGG-16's
        seed: seed of the weights of random_vgg
    Example: fusion(detail=t2f,contrast=t1c)
    """

    one_process = True  # its mean is over the samples whose sources are present

    def __init__(
        self,
        exclusive: bool,
        *,
        detail: str = "t2f",
        contrast: str = "t1c",
        extractor: str = "random_vgg",
        weights: str | None = None,
        width: Annotated[float, Gt(0), Le(1)] = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(exclusive)
        self.detail, self.contrast = detail, contrast
        self.extractor = make_extractor(extractor, weights=weights, width=width, seed=seed)
        self.recorded = {"extractor": self.extractor.identity}
        self.factors = {"pixel": 10.0, "shallow": 1.5, "middle": 1.0, "deep": 2000.0}

    def forward(self, output: Output, target: Tensor) -> Itemised:
        del target
        fused, detail, contrast = (torch.cat(each) for each in zip(*self._compared(output.fused), strict=True))
        terms = self._terms(fused, detail, contrast) if len(fused) else dict.fromkeys(self.factors, fused.sum())
        total = torch.stack([factor * terms[name] for name, factor in self.factors.items()]).sum()
        return Itemised(total, terms)

    def _compared(self, images: list[FusedImage]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Fused, detail and contrast image of every fused image that has both, in 0-255, slices side by side."""
        fitting = [image for image in images if {self.detail, self.contrast} <= image.sources.keys()]
        if not fitting:
            have = "; ".join(f"{image.name} of {', '.join(image.sources)}" for image in images) or "none"
            raise SpecError(
                f"loss fusion compares with {self.detail} and {self.contrast}; fused images of this plan: {have}. "
                "Write a plan such as concat+lrrnet(t1c,t2f), or name other modalities: fusion(detail=.., contrast=..)"
            )
        return [
            (_slices(i.image, i), _slices(i.sources[self.detail], i), _slices(i.sources[self.contrast], i))
            for i in fitting
        ]

    def _terms(self, fused: Tensor, detail: Tensor, contrast: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            of_detail, of_contrast = self.extractor(detail), self.extractor(contrast)
        of_fused = self.extractor(fused)
        mixed = [_CONTRAST * c + _DETAIL * d for c, d in zip(of_contrast[1:3], of_detail[1:3], strict=True)]
        middle = [functional.mse_loss(f, m) for f, m in zip(of_fused[1:3], mixed, strict=True)]
        return {
            "pixel": functional.mse_loss(fused, detail),
            "shallow": functional.mse_loss(of_fused[0], of_detail[0]),
            "middle": 0.01 * middle[0] + 0.5 * middle[1],
            "deep": functional.mse_loss(gram(of_fused[3]), gram(of_contrast[3])),
        }


def gram(features: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, c): inner products of channels, divided by 512 h w: the full width's channels, not c."""
    flat = features.flatten(2)
    return flat @ flat.mT / (DEEPEST * flat.shape[2])


def _slices(image: Tensor, of: FusedImage) -> Tensor:
    """The complete samples' slices (b, 1, h, w) in 0-255, in single precision."""
    chosen = 255 * image[of.complete].float()
    return chosen.movedim(2, 1).flatten(0, 1) if chosen.ndim == 5 else chosen
