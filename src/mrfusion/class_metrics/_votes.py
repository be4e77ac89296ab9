"""The votes of a classifier over some cases: what every class metric reads, counted once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mrfusion.errors import InputError

ALL = "*"
SUM_TOLERANCE = 1e-3  # half precision, or a table written with four digits


@dataclass(frozen=True)
class Votes:
    """Probabilities ``(n, classes)``, targets ``(n,)`` as positions in ``classes``, and the classes' names.

    The predicted class has the highest probability, the first of those where several are equal.
    Raises InputError where a row is no distribution, a target is no class, or there is no case at all.
    """

    probabilities: npt.NDArray[np.floating]
    targets: npt.NDArray[np.integer]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, np.float64))
        object.__setattr__(self, "targets", np.asarray(self.targets))
        _check_classes(self.classes)
        _check_probabilities(self.probabilities, len(self.classes))
        _check_targets(self.targets, self.probabilities.shape)

    @cached_property
    def predicted(self) -> npt.NDArray[np.intp]:
        """The predicted class of each case, ``(n,)``."""
        return np.asarray(np.argmax(self.probabilities, axis=1))

    @cached_property
    def truth(self) -> npt.NDArray[np.bool_]:
        """The targets as ``(n, classes)``, true once in each row."""
        return np.asarray(self.targets[:, None] == np.arange(len(self.classes)))

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How many cases of class ``row`` were called class ``column``."""
        counts = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(counts, (self.targets, self.predicted), 1)
        return counts

    @cached_property
    def hits(self) -> npt.NDArray[np.int64]:
        """True positives of each class."""
        return np.diag(self.confusion)

    @cached_property
    def occurring(self) -> npt.NDArray[np.int64]:
        """How many cases belong to each class."""
        return np.asarray(self.confusion.sum(axis=1))

    @cached_property
    def called(self) -> npt.NDArray[np.int64]:
        """How many cases were predicted to belong to each class."""
        return np.asarray(self.confusion.sum(axis=0))


def _check_classes(classes: tuple[str, ...]) -> None:
    if len(classes) < 2 or len(set(classes)) < len(classes) or ALL in classes:
        raise InputError(f"expected two or more different class names, none of them {ALL!r}, found {classes}")


def _check_probabilities(probabilities: npt.NDArray[np.floating], classes: int) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != classes or not len(probabilities):
        raise InputError(f"expected probabilities (cases, {classes}) of one case or more, found {probabilities.shape}")
    off = ~(np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE) | ~(probabilities >= 0).all(axis=1)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise InputError(
            f"expected probabilities that are not negative and add up to 1, found {probabilities[row].tolist()} "
            f"in row {row}; apply a softmax to logits first"
        )


def _check_targets(targets: npt.NDArray[np.integer], shape: tuple[int, ...]) -> None:
    if targets.shape != shape[:1] or not np.issubdtype(targets.dtype, np.integer):
        raise InputError(f"expected {shape[0]} whole numbers as targets, found {targets.shape} of {targets.dtype}")
    if targets.min() < 0 or targets.max() >= shape[1]:
        raise InputError(f"expected targets from 0 to {shape[1] - 1}, found {targets.min()} to {targets.max()}")
