"""Maximum over the present modalities."""

from jaxtyping import Bool, Float
from torch import Tensor

from mrfusion.fusions._base import Fused, Fusion, where_present


class Max(Fusion):
    """skip = elementwise maximum of the present streams; the streams go on unchanged. No parameters.

    Does not start as the mean: a candidate that is warm-started with it does not begin where its parent ended.
    """

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        return Fused(streams, where_present(streams, present, float("-inf")).amax(1))
