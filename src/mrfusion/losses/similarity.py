"""SF-Net's fusion loss: squared error and structural similarity of the fused image to each of its sources."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mrfusion.errors import SpecError
from mrfusion.kinds import NotNegative
from mrfusion.losses._base import Itemised, Loss, Output

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03  # of Wang et al. 2004; images are in [0, 1]


class Similarity(Loss):
    """Mean over the sources of MSE(I_f, I_m) + ``ssim`` (1 - SSIM(I_f, I_m)), after SF-Net's published code.

    The two terms are recorded. SSIM has a Gaussian window of 11 grid points and sigma 1.5 (Wang et al. 2004) that lies
    inside the image, in 2-D or 3-D; along an axis that is shorter the window is as long as the axis. [ours: that, and
    that both terms count alike] A sample that lacks a source counts nothing. In SF-Net this loss and the one of the
    segmentation are weighed by learned uncertainties: ``balancer: uncertainty``.

    Options:
        ssim: weight of the structural term beside the squared error
    Example: similarity(ssim=1.0)
    """

    one_process = True  # its mean is over the samples whose sources are present

    def __init__(self, exclusive: bool, *, ssim: NotNegative = 1.0) -> None:
        super().__init__(exclusive)
        self.weight = ssim

    def forward(self, output: Output, target: Tensor) -> Itemised:
        del target
        if not output.fused:
            raise SpecError(
                "loss similarity compares a fused image with its sources, and this plan fuses none; write one such as "
                "concat>image(t1c,t2f)"
            )
        pairs = [(f.image[f.complete].float(), s[f.complete].float()) for f in output.fused for s in f.sources.values()]
        whole = [(image, source) for image, source in pairs if len(image)]
        nothing = output.fused[0].image.sum() * 0
        squared = [functional.mse_loss(*pair) for pair in whole] or [nothing]
        unlike = [1 - ssim_of(*pair) for pair in whole] or [nothing]
        terms = {"squared": torch.stack(squared).mean(), "structure": torch.stack(unlike).mean()}
        return Itemised(terms["squared"] + self.weight * terms["structure"], terms)


def ssim_of(one: Float[Tensor, "b 1 *xyz"], other: Float[Tensor, "b 1 *xyz"]) -> Tensor:
    """The mean structural similarity of images in [0, 1]."""
    means = [smoothed(values) for values in (one, other, one * one, other * other, one * other)]
    first, second = means[0], means[1]
    variances, together = means[2] + means[3] - first**2 - second**2, means[4] - first * second
    brightness = (2 * first * second + K1**2) / (first**2 + second**2 + K1**2)
    return (brightness * (2 * together + K2**2) / (variances + K2**2)).mean()


def smoothed(images: Float[Tensor, "b 1 *xyz"]) -> Float[Tensor, "b 1 *uvw"]:
    """Means under a Gaussian window that lies inside the image, one axis after another."""
    convolve = functional.conv2d if images.ndim == 4 else functional.conv3d
    for axis in range(2, images.ndim):
        length = min(WINDOW, images.shape[axis])
        places = torch.arange(length, device=images.device, dtype=images.dtype) - (length - 1) / 2
        window = torch.softmax(-places.square() / (2 * SIGMA**2), 0)
        images = convolve(images, window.view(1, 1, *[length if a == axis else 1 for a in range(2, images.ndim)]))
    return images
