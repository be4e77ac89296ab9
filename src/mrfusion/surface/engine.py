"""Which implementation of the operations on masks is used: kernels compiled by numba, or libraries alone.

It is chosen, and numba or scipy imported (half a second), when the first operation is asked for: what a metric says of
itself needs none, so a table of scores is judged without.
"""

import warnings
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from mrfusion.errors import MrFusionError, Note

SLOWER, FASTER = "mrfusion.surface.libraries", "mrfusion.surface.kernels"


class Engine:
    """The operations of :mod:`mrfusion.surface.libraries` under their names, by whichever implementation there is."""

    @cached_property
    def chosen(self) -> ModuleType:
        """The module that has them; a note says that numba cannot be used."""
        try:
            return import_module(FASTER)
        except ImportError as error:
            if (error.name or "").startswith("mrfusion"):
                raise
            _tell_slower(str(error), "unset it" if "NUMBA_DISABLE_JIT" in str(error) else "pip install numba")
            return import_module(SLOWER)

    def tried(self, work: Callable[[], object]) -> None:
        """Do a small piece of the work before the long one begins. Where the kernels cannot be compiled or run here,
        the libraries are taken for all that follows, with a note."""
        try:
            work()
        except MrFusionError:
            raise
        except Exception as error:  # whatever numba and LLVM make of a processor, a cache or a version of theirs
            if self.chosen.__name__ == SLOWER:
                raise
            first_line = (str(error).splitlines() or [""])[0]
            _tell_slower(f"{type(error).__name__}: {first_line[:200]}", "set NUMBA_CACHE_DIR to an empty folder")
            self.__dict__.clear()  # the kernels' operations that were found before
            self.__dict__["chosen"] = import_module(SLOWER)
            work()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.chosen, name)
        self.__dict__[name] = value  # the next time it is found without this
        return value


def _tell_slower(reason: str, cure: str) -> None:
    warnings.warn(
        f"numba cannot be used ({reason}): metrics are the same to the last bit but take ten to fifteen times as long; "
        f"{cure} to have the fast ones",
        Note,
        stacklevel=3,
    )


engine: Any = Engine()

__all__ = ["engine"]
