"""The contract of a fusion: streams of features in, the same streams and one joined feature map out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

IN_FILE = "plan: 'separate[CHOICE]'"  # how a choice is written; `mrfusion list` shows it


@dataclass
class Fused:
    """What leaves a level.

    ``streams`` (b, m, c, *xyz) go on into the next level, ``skip`` (b, c, *xyz) is the one map that leaves the level,
    ``record`` holds what the fusion can quantify (gates, weights, energies), detached; ``state`` what losses may read
    of it, with its gradient; ``handed`` (b, d, *xyz / step) what the next level that ``reads_finer`` is told.
    """

    streams: Float[Tensor, "b m c *xyz"]
    skip: Float[Tensor, "b c *xyz"]
    record: dict[str, Tensor] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)
    handed: Tensor | None = None


class Fusion(nn.Module, ABC):
    """One meeting of modalities.

    Built with the number of ``modalities``, of ``channels`` and of spatial ``dimensions``, and with its own keyword
    arguments. Starts as ``mean`` where its docstring does not say otherwise, so that a warm-started candidate begins
    where its parent ended. An absent modality never reaches an output: it is taken out with ``where``, never
    multiplied by zero, so noise, NaN and inf in its slot change nothing.

    One that ``reads_finer`` takes a third argument: what the nearest finer level that hands something on has handed
    on, None where there is none. ``adaptable`` names the parameters and modules in it that suffice to adapt it.
    ``by_modality`` names parameters with one row a modality, ``by_pair`` those with one a pair of modalities: these can
    be given rows for a modality that joins a trained network; parameters of any other form that depend on how many
    modalities there are cannot.
    """

    reads_finer = False
    adaptable: tuple[str, ...] = ()
    by_modality: tuple[str, ...] = ()
    by_pair: tuple[str, ...] = ()

    def __init__(self, modalities: int, channels: int, dimensions: int) -> None:
        super().__init__()
        self.modalities, self.channels, self.dimensions = modalities, channels, dimensions
        self.step: tuple[int, ...] = (2,) * dimensions

    def coarsened(self, step: tuple[int, ...]) -> None:
        """Told by the network how many grid points become one at the next level, along each axis, 1 or 2."""
        self.step = step

    @abstractmethod
    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        """Let the present streams meet; every case has at least one present."""


def where_present(
    values: Float[Tensor, "b #m ..."], present: Bool[Tensor, "b m"], fill: float = 0.0
) -> Float[Tensor, "b m ..."]:
    """``values`` with ``fill`` in the slots of absent modalities."""
    mask = present.view(*present.shape, *[1] * (values.ndim - 2))
    return torch.where(mask, values, fill)


def mean_present(values: Float[Tensor, "b m ..."], present: Bool[Tensor, "b m"]) -> Float[Tensor, "b ..."]:
    """The mean over the present modalities; at least one must be present."""
    count = present.sum(1).clamp(min=1).view(-1, *[1] * (values.ndim - 2))
    return where_present(values, present).sum(1) / count


def handed_back(
    streams: Float[Tensor, "b m c *xyz"], joined: Float[Tensor, "b c *xyz"], present: Bool[Tensor, "b m"]
) -> Fused:
    """The ``exchange`` form of a fusion that only joins: x_m <- x_m + (joined - mean_m x_m) for each present m.

    The mean of the streams after it is ``joined`` again, and where ``joined`` is the mean they stay what they were.
    """
    change = where_present((joined - mean_present(streams, present)).unsqueeze(1), present)
    return Fused(where_present(streams, present) + change, joined)
