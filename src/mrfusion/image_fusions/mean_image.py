"""The mean of the images; a control: is it the fused image that helps, or one more channel?"""

from jaxtyping import Float
from torch import Tensor

from mrfusion.image_fusions._base import ImageFusion


class MeanImage(ImageFusion):
    """The mean over the modalities it reads. No parameters.

    Options:
        modalities: the modalities that are averaged; default: all that the plan reads
    Example: mean_image(t1c,t2f)
    """

    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        return images.mean(1, keepdim=True)
