"""Which implementation of the operations on masks is used: kernels compiled by numba, or libraries alone."""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mrfusion.errors import MrFusionError, Note
from mrfusion.surface import libraries


class Engine:
    """The operations of one implementation, by their names; ``module`` is where they stand."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def tried(self, work: Callable[[], object]) -> None:
        """Do a small piece of the work before the long one begins. Where the kernels cannot be compiled or run here,
        the libraries are taken for all that follows, with a note."""
        try:
            work()
        except MrFusionError:
            raise
        except Exception as error:  # whatever numba and LLVM make of a processor, a cache or a version of theirs
            if self.module is libraries:
                raise
            first_line = (str(error).splitlines() or [""])[0]
            _tell_slower(f"{type(error).__name__}: {first_line[:200]}", "set NUMBA_CACHE_DIR to an empty folder")
            self.module = libraries
            work()


def _tell_slower(reason: str, cure: str) -> None:
    warnings.warn(
        f"numba cannot be used ({reason}): metrics are the same to the last bit but take ten to fifteen times as long; "
        f"{cure} to have the fast ones",
        Note,
        stacklevel=3,
    )


first: ModuleType
try:
    from mrfusion.surface import kernels as first
except ImportError as error:
    if (error.name or "").startswith("mrfusion"):
        raise
    _tell_slower(str(error), "unset it" if "NUMBA_DISABLE_JIT" in str(error) else "pip install numba")
    first = libraries

engine = Engine(first)

__all__ = ["engine"]
