"""The operations on masks compiled by numba: same names and same results as :mod:`mrfusion.surface.libraries`."""

from mrfusion.surface.dense import codes, dilate, extent
from mrfusion.surface.runs import label, overlaps, owners, restrict, sizes
from mrfusion.surface.search import nearest

NAME = "numba"

__all__ = ["NAME", "codes", "dilate", "extent", "label", "nearest", "overlaps", "owners", "restrict", "sizes"]
