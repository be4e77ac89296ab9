"""The operations on masks compiled by numba: same names and same results as :mod:`mrfusion.surface.libraries`."""

from scipy.optimize import linear_sum_assignment

from mrfusion.surface.compiled import compiled_before
from mrfusion.surface.dense import counted, dilate, extent, packed
from mrfusion.surface.nearby import borders, corners, look_around
from mrfusion.surface.runs import label, overlaps, owners, restrict, sizes
from mrfusion.surface.search import apart, grouped, index, nearest
from mrfusion.surface.tallying import tally

NAME = "numba"


def ready() -> bool:
    """Whether the kernels are compiled already; else the first case takes some seconds longer, this once."""
    return compiled_before(tally)


__all__ = [
    "NAME",
    "apart",
    "borders",
    "corners",
    "counted",
    "dilate",
    "extent",
    "grouped",
    "index",
    "label",
    "linear_sum_assignment",
    "look_around",
    "nearest",
    "overlaps",
    "owners",
    "packed",
    "ready",
    "restrict",
    "sizes",
    "tally",
]
