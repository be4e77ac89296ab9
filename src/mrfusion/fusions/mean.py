"""Mean over the present modalities; the reference that every other fusion starts from."""

from jaxtyping import Bool, Float
from torch import Tensor

from mrfusion.fusions._base import Fused, Fusion, mean_present


class Mean(Fusion):
    """skip = mean of the present streams; the streams go on unchanged. No parameters."""

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        return Fused(streams, mean_present(streams, present))
