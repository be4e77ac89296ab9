"""Learned uncertainties: e^(-s) L / 2 + s / 2 for each loss (Kendall, Gal, Cipolla 2018)."""

from torchjd.scalarization import UW

from mrfusion.balancers._weights import Scalarised


class Uncertainty(Scalarised):
    """torchjd's UW; s, one a loss, begins at 0 and learns with the network's optimiser and rate."""

    def make(self, count: int) -> UW:
        return UW(count)
