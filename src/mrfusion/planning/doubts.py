"""What is a bad fit between samples and cases, said before anything is trained."""

import math
from collections.abc import Sequence

FEW_SLICES = 8  # of which a 3-D network learns little that slices do not tell


def doubts(size: Sequence[int], multiple: Sequence[int], median_shape: Sequence[float]) -> list[str]:
    """Sentences about samples of ``size`` (S, H, W), for a median case of ``median_shape``.

    ``multiple`` is what a network's grids are a multiple of along each axis (1 along S of slices); a sample that is
    larger than the case for that reason alone is no bad fit.
    """
    found = []
    slices = round(median_shape[0])
    if size[0] > 1 and slices < FEW_SLICES:
        found.append(
            f"the samples are 3-D, but the median case has {slices} slices; write sampling.dimensions: 2, which learns "
            "from each slice and trains faster"
        )
    for name, n, step, extent in zip(("slices", "rows", "columns"), size, multiple, median_shape, strict=True):
        if n > math.ceil(extent / step) * step:
            found.append(
                f"a sample has {n} {name}, the median case {round(extent)}; the rest is zeros, which cost time and "
                "teach nothing: write a smaller sampling.size"
            )
    return found
