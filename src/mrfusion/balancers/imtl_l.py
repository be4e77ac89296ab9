"""Learned scales that bring the losses to one size: e^s L - s for each (IMTL-L, Liu et al. 2021)."""

from torchjd.scalarization import IMTLL

from mrfusion.balancers._weights import Scalarised


class ImtlL(Scalarised):
    """torchjd's IMTLL; s, one a loss, begins at 0 and learns with the network's optimiser and rate."""

    def make(self, count: int) -> IMTLL:
        return IMTLL(count)
