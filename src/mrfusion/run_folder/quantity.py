"""What the numbers of a history and of a case's energies measure; in files a text such as ``energy/level0/step3``."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

_LEVEL = re.compile(r"level(\d+)")


@dataclass(frozen=True)
class Quantity:
    """One quantity: its ``kind``, what it is the ``name`` of, and the ``level`` of the network, 0 the finest.

    ============== ======================== ===========================================================
    kind           name                     what it is
    ============== ======================== ===========================================================
    ``train``      a loss                   its mean over an epoch's training steps
    ``term``       a loss / one of its terms the same of a term
    ``weight``     a loss                   the balancer's weight
    ``gradient``   a loss                   the norm of its gradient on shared parameters
    ``cosine``     two losses, ``a:b``      the cosine between their gradients
    ``val``        a loss, ``score``, ..    what validation found
    ``energy``     ``step3``, ``evidence``, the energy E of a level after a step, a part of the last one, or the mean e
                   ``class/WT``, nothing    of a class; without a name the last E
    ``pi``         a modality               its mean weight at a level
    ``without``    a modality               the last E of a level if that modality were absent
    ``alignment``  ``factor1/direction``,.. how the modalities lie in a factor of the space
    ``lr``         nothing, or ``own``      the learning rate, or that of modules with one of their own
    ``seconds``, ``phase``                  how long an epoch took, and in which phase of the schedule it was
    ============== ======================== ===========================================================
    """

    kind: str
    name: str = ""
    level: int | None = None

    def __str__(self) -> str:
        level = "" if self.level is None else f"level{self.level}"
        return "/".join(part for part in (self.kind, level, self.name) if part)

    @classmethod
    def parse(cls, text: str) -> "Quantity":
        """The quantity that a text names; any text names one, and ``str`` gives the text back."""
        return _parsed(text)

    def at(self, level: int) -> "Quantity":
        """The same at a level."""
        return replace(self, level=level)

    def within(self, group: str) -> str | None:
        """The rest of the name behind ``group`` and a slash; None where it does not begin so."""
        return self.name[len(group) + 1 :] if self.name.startswith(f"{group}/") else None

    def numbered(self, word: str) -> int | None:
        """3 for ``step3`` by the word ``step``, or for ``factor3/direction`` by ``factor``; None for other names."""
        found = re.match(rf"{word}(\d+)(?:/|$)", self.name)
        return int(found[1]) if found else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Quantity:
    kind, _, rest = text.partition("/")
    first, _, name = rest.partition("/")
    level = _LEVEL.fullmatch(first)
    return Quantity(kind, rest) if level is None else Quantity(kind, name, int(level[1]))


SCORE = Quantity("val", "score")
SECONDS = Quantity("seconds")
RATE = Quantity("lr")
PHASE = Quantity("phase")
