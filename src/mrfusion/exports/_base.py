"""The contract of an export: a network and what goes with it in, files that need no mrfusion out."""

import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

IN_FILE = "mrfusion export OUT/runs/DIGEST exported --to CHOICE"  # how a choice is written; `mrfusion list` shows it
Answering = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]


@dataclass(frozen=True)
class Package:
    """What is taken away.

    ``network`` answers images (1, m, *grid), zero where a modality is absent, and a mask of what is present (1, m) by
    logits (1, n, *grid), or (1, n) of classes. ``example`` is such a pair. ``multiples`` says of which multiples the
    grid's axes may be; it is None where the grid is always that of the example. ``statement`` says in plain values what
    comes before and after the network, ``card`` is the model card (Markdown), ``programs`` are files of Python that do
    what the statement says, by name.
    """

    network: nn.Module
    example: tuple[Tensor, Tensor]
    multiples: tuple[int, ...] | None
    statement: Mapping[str, Any]
    card: str
    programs: Mapping[str, str]


class Export(ABC):
    """One form of files."""

    @abstractmethod
    def write(self, package: Package, folder: Path) -> None:
        """Write everything into an empty folder; SpecError where the network cannot be written in this form."""

    @abstractmethod
    def read(self, folder: Path) -> Answering:
        """What was written, as a function of arrays: it is asked for the same answers before anybody else gets it."""


def write_around(package: Package, folder: Path) -> None:
    """The statement, the model card and the programs beside a network."""
    write_json(folder / "model.json", package.statement)
    (folder / "README.md").write_text(package.card, encoding="utf-8")
    for name, text in package.programs.items():
        (folder / name).write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """JSON for people to read: keys in their order, not sorted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def quiet() -> Iterator[None]:
    """What torch's exporters say of themselves on their way is not for the user; what is wrong, the check finds."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
