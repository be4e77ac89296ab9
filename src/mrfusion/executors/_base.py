"""The contract of an executor: calls of named functions in, their results out, in whatever order they end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

IN_FILE = "mrfusion study study.yaml --out OUT --executor 'CHOICE'"  # how a choice is written; `mrfusion list` shows it


@dataclass(frozen=True)
class Job:
    """A call of a function named by its address, ``package.module:function``, with plain values as arguments.

    ``name`` tells jobs apart, ``title`` is what the user calls it.
    """

    name: str
    function: str
    arguments: tuple[Any, ...]
    title: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or the text of its failure. ``expected`` failures speak to the user.

    ``notes`` are what the job had to say on its way, for the user too.
    """

    job: Job
    result: Any = None
    failure: str | None = None
    expected: bool = False
    notes: tuple[str, ...] = ()


class Executor(ABC):
    """Carries out jobs that do not depend on one another; never sees a tensor.

    ``workers`` is how many it carries out side by side, None where that depends on the room there is.
    """

    workers: int | None = None

    @abstractmethod
    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        """Outcomes as they come; ``tick`` is called a few times a second while there is nothing to yield.

        A failed job is an outcome, not an exception; the others go on. Closing the iterator ends what is running.
        """

    def warm(self, function: str, most: int) -> AbstractContextManager[None]:  # noqa: ARG002 - for those who keep any
        """A block in which processes may stay from one call of :meth:`run` to the next; here there are none to keep.

        Up to ``most`` may start at its beginning and import the module of ``function``, an address as a job's.
        """
        return nullcontext()
