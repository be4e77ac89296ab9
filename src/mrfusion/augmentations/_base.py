"""The contract of an augmentation: a whole batch in, the same batch changed at random out, on its own device."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Generator, Tensor

IN_FILE = "augmentation: 'CHOICE'"  # how a choice is written; `mrfusion list` shows it


@dataclass(frozen=True)
class Samples:
    """Images and labels of a batch, side by side; ``spacing_mm`` is the distance of grid points along each axis."""

    images: Float[Tensor, "b m *xyz"]
    labels: UInt8[Tensor, "b *xyz"]
    spacing_mm: Float[Tensor, "b k"]


class Augmentation(ABC):
    """Random changes of a batch, built with its own keyword arguments.

    Each sample has a random stream of its own, named by its seed, so that neither the number of workers or processes
    nor the company in a batch changes what happens to it. Torch's own random state is neither read nor moved. What is
    drawn is drawn on the CPU, what is computed is computed on the device of the images, all samples together. The
    background, exactly 0, stays 0. ``mirrors`` says whether a network sees mirrored samples, so that predictions may be
    averaged over mirrors.
    """

    @property
    def mirrors(self) -> bool:
        """Whether samples are mirrored."""
        return False

    @abstractmethod
    def __call__(self, samples: Samples, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Changed images and labels, of the shapes they came in, one seed a sample."""


def streams(seeds: Sequence[int]) -> list[Generator]:
    """A random stream for each sample."""
    return [Generator().manual_seed(seed) for seed in seeds]


def uniform(random: Sequence[Generator], count: int) -> Float[Tensor, "b n"]:
    """``count`` numbers from 0 to 1 for each sample, each from the sample's own stream; on the CPU."""
    return torch.stack([torch.rand(count, generator=stream) for stream in random])


def normal_like(images: Float[Tensor, "b m *xyz"], random: Sequence[Generator]) -> Float[Tensor, "b m *xyz"]:
    """Standard normal noise, made on the device of the images from a seed of each sample's own stream.

    Contiguous, because random numbers are laid down in the order of memory, and the images' order depends on the batch.
    """
    noise = torch.empty_like(images, memory_format=torch.contiguous_format)
    for sample, stream in zip(noise, random, strict=True):
        sample.normal_(generator=Generator(images.device).manual_seed(stream.initial_seed() ^ 0x5EED))
    return noise


def placed(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the CPU on a device; a GPU is not waited for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def of_some(images: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """``images`` with ``change(images[places], places)`` at the places where ``chosen`` (b,), on the CPU, is true."""
    places = chosen.nonzero().flatten()
    if not len(places):
        return images
    there = placed(places, images.device)
    return images.index_copy(0, there, change(images.index_select(0, there), places))


def mirrored(images: Tensor, labels: Tensor, random: Sequence[Generator]) -> tuple[Tensor, Tensor]:
    """Mirror along each axis, each sample with probability one half."""
    for axis in range(1, labels.ndim):
        mask = placed(uniform(random, 1).flatten() < 0.5, images.device)
        images = torch.where(mask.view(-1, *[1] * (images.ndim - 1)), images.flip(axis + 1), images)
        labels = torch.where(mask.view(-1, *[1] * (labels.ndim - 1)), labels.flip(axis), labels)
    return images, labels
