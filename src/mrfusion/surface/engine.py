"""Which implementation of the operations on masks is used: libraries alone, or kernels compiled by numba."""

from mrfusion.surface import libraries as engine

__all__ = ["engine"]
