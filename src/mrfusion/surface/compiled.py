"""How kernels are compiled: by numba when first called, kept on disk, without Python's lock while they run.

The compiled code lies in ``__pycache__`` beside the source, or where NUMBA_CACHE_DIR says. Where neither can be
written nothing is kept (numba would otherwise write into the home folder), and every process compiles anew.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

CACHE = Path(__file__).parent / "__pycache__"
KEPT = bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(CACHE if CACHE.is_dir() else CACHE.parent, os.W_OK)

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """A kernel: the function, compiled for the types it is first called with."""
    return numba.njit(nogil=True, cache=KEPT)(function)  # type: ignore[no-any-return]


def compiled_before(kernel: Any) -> bool:
    """Whether an earlier process left this kernel compiled, so that the first call does not take seconds."""
    folder = kernel.stats.cache_path
    return KEPT and folder is not None and any(Path(folder).glob(f"*{kernel.__name__}*.nbi"))
