"""The contract of a tracker: what a run says of itself in, a log that some other program shows out.

The tables of a run are written whether it is tracked or not; a tracker adds a view, and nothing is read back from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IN_FILE = "tracking: [CHOICE]"  # how a choice is written; `mrfusion list` shows it


class Tracker(ABC):
    """The log of one run. ``folder`` is for this tracker alone, ``run`` is the run's digest.

    A run that goes on after an interruption makes a new tracker for the same folder and run, and may say the last epoch
    again.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.run = folder, run

    @abstractmethod
    def begin(self, facts: Mapping[str, str]) -> None:
        """Told once, before anything else: what the run is, as names and short texts."""

    @abstractmethod
    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Losses, scores and rates after an epoch; scores of test cases come last, with the last epoch's number."""

    @abstractmethod
    def picture(self, epoch: int, name: str, image_HW3: NDArray[np.uint8]) -> None:
        """A picture after an epoch, rows from the top, red, green and blue from 0 to 255."""

    @abstractmethod
    def end(self) -> None:
        """Write what is not written yet."""
