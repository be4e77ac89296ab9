"""What a task is: all that tells one kind of answer from another, as words that the machinery looks up.

A task imports nothing heavy, so that a study can be read without torch. It names the pieces that it is made of: a piece
of the module that needs one (``Decoder`` of :mod:`mrfusion.model.decoder`), or ``package.module:Class`` of your own.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from mrfusion.case import Case, Cohort

IN_FILE = "task: CHOICE"  # how a choice is written; `mrfusion list` shows it


class Task(ABC):
    """One kind of answer.

    ``losses`` are trained where a specification names none, and ``metrics`` is the family that its metrics are of.
    ``head`` is a piece of :mod:`mrfusion.model.decoder`, ``score`` of :mod:`mrfusion.training.validate` (what chooses
    the best epoch), ``answers`` of :mod:`mrfusion.run.answers` (how cases are predicted, scored and written).
    ``of_cases`` is a piece of :mod:`mrfusion.study.validation`: what a search compares patients by, which needs
    ``needed_metrics`` among the run's.
    """

    losses: ClassVar[tuple[str, ...]]
    metrics: ClassVar[str]
    head: ClassVar[str]
    score: ClassVar[str]
    answers: ClassVar[str]
    of_cases: ClassVar[str]
    needed_metrics: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, cohort: Cohort) -> None:
        """InputError where a cohort cannot be trained for this task."""

    @abstractmethod
    def is_labelled(self, case: Case) -> bool:
        """Whether the case has what is learnt."""

    @abstractmethod
    def channels(self, cohort: Cohort, head: str) -> int:
        """How many logits the network gives, by the ``head`` of the specification: ``regions`` or ``labels``."""

    @abstractmethod
    def exclusive(self, head: str) -> bool:
        """Whether exactly one of the logits' meanings is true (softmax), or each by itself (sigmoid)."""

    @abstractmethod
    def target(self, head: str) -> str:
        """What the losses compare logits with: a piece of :mod:`mrfusion.training.objective`."""

    @abstractmethod
    def decision(self, head: str) -> str:
        """What logits say: a piece of :mod:`mrfusion.training.decision`."""

    @abstractmethod
    def energy_classes(self, cohort: Cohort) -> tuple[str, ...]:
        """The classes whose mean energy is recorded."""

    @abstractmethod
    def loss_of(self, score: float) -> float:
        """What a search minimises, from the best validation score of a run."""
