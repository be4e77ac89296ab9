"""What is a bad fit between samples and cases, said before anything is trained."""

import math
from collections.abc import Iterator, Mapping, Sequence

FEW_SLICES = 8  # of which a 3-D network learns little that slices do not tell


def never_labelled(shares: Mapping[str, float]) -> Iterator[str]:
    """Sentences on regions that no case has; ``shares`` are of the voxels of all cases' boxes."""
    for name, share in shares.items():
        if share == 0:
            yield f"no case that is trained or validated on has the region {name}: nothing can be learnt about it"


def few_slices(dimensions: int, median_shape: Sequence[float]) -> Iterator[str]:
    """A sentence where samples are volumes of a median case (S, H, W) that has hardly any slices."""
    slices = round(median_shape[0])
    if dimensions == 3 and slices < FEW_SLICES:
        yield (
            f"the samples are 3-D, but the median case has {slices} slices; write sampling: {{dimensions: 2}}, which "
            "learns from each slice and trains faster"
        )


def too_large(size: Sequence[int], multiple: Sequence[int], median_shape: Sequence[float]) -> Iterator[str]:
    """Sentences where samples of ``size`` (S, H, W) are larger than the median case.

    ``multiple`` is what a network's grids are a multiple of along each axis (1 along S of slices); what is larger for
    that reason alone is no bad fit.
    """
    for name, n, step, extent in zip(("slices", "rows", "columns"), size, multiple, median_shape, strict=True):
        if n > math.ceil(extent / step) * step:
            yield (
                f"a sample has {n} {name}, the median case {round(extent)}; the rest is zeros, which cost time and "
                "teach nothing: write a smaller sampling.size"
            )
