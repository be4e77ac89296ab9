"""The contract of a loss: what a network gave and what was wanted in, one number out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

IN_FILE = "losses: ['CHOICE']"  # how a choice is written; `mrfusion list` shows it


@dataclass
class FusedImage:
    """A fused image as everything that follows sees it, and what it was made of.

    ``image`` is (b, 1, *xyz); ``sources`` are the images of its modalities by name, (b, 1, *xyz) in [0, 1];
    ``complete`` (b,) says which samples have all of them. ``name`` is the plan's text of the fusion.
    """

    name: str
    image: Tensor
    sources: dict[str, Tensor]
    complete: Tensor


@dataclass
class Output:
    """What a network gives.

    ``logits`` are (b, regions or classes, *xyz) for segmentation and (b, classes) for classification; ``coarse`` the
    logits of coarser decoder levels, finest first, each on the grid of its level (deep supervision, training
    only); ``records`` what the fusions quantified, one a level, detached; ``fused`` the images that image fusions made;
    ``states`` what fusions let losses read, one a level, empty where a fusion has nothing to say. Their grids are of
    the padded images. ``scales`` say how many grid points of the images become one at each level, along each axis;
    where they are not said every level halves every axis.
    """

    logits: Tensor
    coarse: list[Tensor] = field(default_factory=list)
    records: list[dict[str, Tensor]] = field(default_factory=list)
    fused: list[FusedImage] = field(default_factory=list)
    states: list[dict[str, Tensor]] = field(default_factory=list)
    scales: tuple[tuple[int, ...], ...] = ()

    def scale(self, level: int, dimensions: int) -> tuple[int, ...]:
        """How many grid points of the images become one at a level (0 = finest), along each of ``dimensions`` axes."""
        return self.scales[level] if self.scales else (2**level,) * dimensions


@dataclass(frozen=True)
class Samples:
    """What samples are of: the case of each by its id, and its category ``categories`` (b,), -1 where it has none."""

    ids: tuple[str, ...]
    categories: Tensor


@dataclass
class Itemised:
    """A loss that is a sum of several: the ``total`` that is lowered, and its ``terms`` as they are recorded."""

    total: Tensor
    terms: dict[str, Tensor]


class Loss(nn.Module, ABC):
    """One named, unweighted number to lower; weights belong to the balancer.

    Built with ``exclusive`` (classes or labels exclude each other; otherwise regions may overlap) and its own keyword
    arguments. ``recorded`` is what a run's ``environment.json`` says of it that no spec can: what a file held.
    ``judges`` says whether it is part of a classification's validation score; a loss that only shapes features is not.
    ``one_process`` says that it needs the whole batch in one process, being no mean over samples.
    One that ``reads_samples`` takes a third argument, the ``Samples`` of the batch.
    """

    judges = True
    one_process = False
    reads_samples = False
    recorded: Mapping[str, str] = MappingProxyType({})

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    @abstractmethod
    def forward(self, output: Output, target: Tensor) -> Tensor | Itemised:
        """A scalar, alone or with its terms. ``target`` is (b, regions, *xyz) of 0 and 1, or (b, *xyz) or (b,) of class
        numbers."""

    def remember(self) -> None:
        """Told that what it was last called with was a step of the training; most losses do not care."""

    def memory(self) -> dict[str, Any]:
        """What it must know to go on after an interruption: tensors, numbers, lists and dictionaries of them."""
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take a memory back."""
