"""A copy of one modality, ``copy(t1c)``; a control: what does a repeated channel do?"""

from jaxtyping import Float
from torch import Tensor

from mrfusion.errors import SpecError
from mrfusion.image_fusions._base import ImageFusion


class Copy(ImageFusion):
    """The one modality that it names. No parameters. SpecError unless it names exactly one.

    Options:
        modalities: the modality that is copied
    Example: copy(t1c)
    """

    def __init__(self, *modalities: str) -> None:
        super().__init__(*modalities)
        if len(modalities) != 1:
            raise SpecError(f"expected copy(x) with one modality, found copy({', '.join(modalities)})")

    def forward(self, images: Float[Tensor, "b k *xyz"]) -> Float[Tensor, "b 1 *xyz"]:
        return images
