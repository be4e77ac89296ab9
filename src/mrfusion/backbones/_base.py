"""The contract of a backbone: the modules of each encoder and decoder level."""

from abc import ABC, abstractmethod
from math import prod

import torch
from torch import Tensor, nn

from mrfusion.errors import SpecError

IN_FILE = "network: CHOICE"  # how a choice is written; `mrfusion list` shows it

Steps = tuple[int, ...]


def check_between(name: str, value: object, least: int, most: int) -> int:
    """The number, if it is a whole one in this range; SpecError otherwise."""
    if type(value) is not int or not least <= value <= most:
        raise SpecError(f"network: {name}: expected a whole number from {least} to {most}, found {value!r}")
    return value


class Up(nn.Module):
    """Transposed convolution up, the skip concatenated, then the level's own convolutions."""

    def __init__(self, rise: nn.Module, convolutions: nn.Module) -> None:
        super().__init__()
        self.rise, self.convolutions = rise, convolutions

    def forward(self, coarser: Tensor, skip: Tensor) -> Tensor:
        """(b, c', *xyz / stride) and (b, c, *xyz) -> (b, c, *xyz)."""
        return self.convolutions(torch.cat((self.rise(coarser), skip), 1))  # type: ignore[no-any-return]


class Backbone(ABC):
    """What a network is made of; a recipe for modules, not a module.

    ``channels`` has one number per encoder level, finest first. ``strides`` say for each level how many grid points of
    the level before become one along each axis, 1 or 2; the first level's are 1. Where a backbone says nothing, every
    level halves every axis. ``deep_supervision`` is how many decoder levels, the finest ones, answer in training (1:
    only the finest), ``built_heads`` how many have a head at all.
    Built with ``dimensions`` (2 or 3) and its own keyword arguments.
    """

    channels: tuple[int, ...]
    deep_supervision: int = 1
    given_strides: tuple[Steps, ...] | None = None

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def strides(self) -> tuple[Steps, ...]:
        """Of each level along each axis."""
        halved = ((2,) * self.dimensions for _ in self.channels[1:])
        return self.given_strides or ((1,) * self.dimensions, *halved)

    @property
    def scales(self) -> tuple[Steps, ...]:
        """How many grid points of the input become one at each level, along each axis."""
        return tuple(
            tuple(prod(axis) for axis in zip(*self.strides[: level + 1], strict=True))
            for level in range(len(self.channels))
        )

    @property
    def stride(self) -> Steps:
        """How many grid points of the input become one at the coarsest level, along each axis."""
        return self.scales[-1]

    @property
    def built_heads(self) -> int:
        """How many decoder levels have a head; those beyond ``deep_supervision`` never answer and never learn."""
        return self.deep_supervision

    def head(self, level: int, out_channels: int) -> nn.Module:
        """The 1x1 convolution from the maps of a decoder level to logits."""
        convolution = nn.Conv2d if self.dimensions == 2 else nn.Conv3d
        return convolution(self.channels[level], out_channels, 1)

    @abstractmethod
    def encoder_level(self, level: int, in_channels: int) -> nn.Module:
        """(b, in_channels, *xyz) -> (b, channels[level], *xyz / strides[level])."""

    @abstractmethod
    def decoder_level(self, level: int) -> nn.Module:
        """Called with the coarser map and the skip of ``level``; gives (b, channels[level], *xyz of the skip)."""


class Whole(ABC):
    """A whole network of somebody else's, for plans with one stream; a recipe for a module, not a module.

    The module takes images (b, channels, *xyz), whose grid is a multiple of ``multiple`` along each axis, and gives
    logits (b, out_channels, *xyz), or (b, out_channels) of whole cases; in training it may give a list of them, finest
    first, each on half the grid of the one before.
    """

    def __init__(self, dimensions: int, *, multiple: int) -> None:
        self.dimensions = dimensions
        self.multiple = check_between("multiple", multiple, 1, 512)

    @abstractmethod
    def network(self, in_channels: int, out_channels: int) -> nn.Module:
        """The module, drawn from torch's seed."""
