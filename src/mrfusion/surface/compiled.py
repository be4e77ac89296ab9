"""How kernels are compiled: by numba when first called, kept on disk, without Python's lock while they run.

The compiled code lies in ``__pycache__`` beside the source, or where NUMBA_CACHE_DIR says. Where neither can be
written nothing is kept (numba would otherwise write into the home folder), and every process compiles anew. So it does
where what was kept cannot be read: a file that a power cut or a full disk left empty is one that is not there.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

CACHE = Path(__file__).parent / "__pycache__"
KEPT = bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(CACHE if CACHE.is_dir() else CACHE.parent, os.W_OK)

F = TypeVar("F", bound=Callable[..., Any])

if numba.config.DISABLE_JIT:  # the kernels would run as plain Python, thousands of times as long
    raise ImportError("NUMBA_DISABLE_JIT is set", name="numba")


class ForgivingCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, in which whatever cannot be read is absent and whatever cannot be written is not
    kept."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever damaged bytes make of unpickling: EOFError, KeyError, MemoryError, ..
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # the index is damaged, or the disk is full
            self.disable()


def compiled(function: F) -> F:
    """A kernel: the function, compiled for the types it is first called with."""
    kernel = numba.njit(nogil=True)(function)
    if KEPT:
        kernel._cache = ForgivingCache(kernel.py_func)  # what cache=True does, with numba's own cache
    return kernel  # type: ignore[no-any-return]


def compiled_before(kernel: Any) -> bool:
    """Whether an earlier process left this kernel compiled, so that the first call does not take seconds."""
    folder = kernel.stats.cache_path
    return KEPT and folder is not None and any(Path(folder).glob(f"*{kernel.__name__}*.nbi"))
