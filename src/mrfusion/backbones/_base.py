"""The contract of a backbone: the modules of each encoder and decoder level."""

from abc import ABC, abstractmethod

from torch import nn

from mrfusion.errors import SpecError

IN_FILE = "network: CHOICE"  # how a choice is written; `mrfusion list` shows it


def check_between(name: str, value: int, least: int, most: int) -> None:
    """SpecError unless a number of a backbone's text is a whole one in this range."""
    if type(value) is not int or not least <= value <= most:
        raise SpecError(f"network: {name}: expected a whole number from {least} to {most}, found {value!r}")


class Backbone(ABC):
    """What a network is made of; a recipe for modules, not a module.

    ``channels`` has one number per encoder level, finest first; every level halves the grid of the one before.
    ``deep_supervision`` is how many decoder levels have a head of their own in training (1: only the finest).
    Built with ``dimensions`` (2 or 3) and its own keyword arguments.
    """

    channels: tuple[int, ...]
    deep_supervision: int = 1

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def stride(self) -> int:
        """How many grid points of the input become one at the coarsest level."""
        return int(2 ** (len(self.channels) - 1))

    @abstractmethod
    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        """(b, in_channels, *xyz) -> (b, channels[level], *xyz / 2), not halved at level 0."""

    @abstractmethod
    def decoder_level(self, level: int) -> nn.Module:
        """Called with the coarser map and the skip of ``level``; gives (b, channels[level], *xyz of the skip)."""
