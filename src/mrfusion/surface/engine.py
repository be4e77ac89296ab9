"""Which implementation of the operations on masks is used: kernels compiled by numba, or libraries alone.

It is chosen, and numba imported (half a second), when the first operation is asked for: what a metric says of itself
needs none, so a table of scores is judged without.
"""

import warnings
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from mrfusion.errors import Note
from mrfusion.surface import libraries


class Engine:
    """The operations of :mod:`mrfusion.surface.libraries` under their names, by whichever implementation there is."""

    @cached_property
    def chosen(self) -> ModuleType:
        """The module that has them; a note says that numba cannot be used."""
        try:
            return import_module("mrfusion.surface.kernels")
        except ImportError as error:
            if (error.name or "").startswith("mrfusion"):
                raise
            cure = "unset it" if "NUMBA_DISABLE_JIT" in str(error) else "pip install numba"
            warnings.warn(
                f"numba cannot be used ({error}): metrics are the same to the last bit but take ten to fifteen times "
                f"as long; {cure} to have the fast ones",
                Note,
                stacklevel=3,
            )
            return libraries

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.chosen, name)
        self.__dict__[name] = value  # the next time it is found without this
        return value


engine: Any = Engine()

__all__ = ["engine"]
