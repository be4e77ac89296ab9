"""How kernels are compiled: by numba when first called, kept on disk, without Python's lock while they run.

The compiled code lies in ``__pycache__`` beside the source, or where NUMBA_CACHE_DIR says. Where neither can be
written nothing is kept (numba would otherwise write into the home folder), and every process compiles anew. So it does
where what was kept cannot be read: a file that a power cut or a full disk left empty is one that is not there. A file
of machine code that is not byte for byte what was kept is not there either: it could end the process or change numbers.
"""

import contextlib
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

CACHE = Path(__file__).parent / "__pycache__"
KEPT = bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(CACHE if CACHE.is_dir() else CACHE.parent, os.W_OK)

F = TypeVar("F", bound=Callable[..., Any])

if numba.config.DISABLE_JIT:  # the kernels would run as plain Python, thousands of times as long
    raise ImportError("NUMBA_DISABLE_JIT is set", name="numba")


class CheckedFile(IndexDataCacheFile):  # type: ignore[misc]
    """numba's files of one function; those of machine code begin with a checksum of their name and content."""

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as stream:
            stream.write(_checksum(name, content) + content)

    def _load_data(self, name: str) -> Any:
        kept = Path(self._data_path(name)).read_bytes()
        checksum, content = kept[:CHECKSUM_BYTES], kept[CHECKSUM_BYTES:]
        if checksum != _checksum(name, content):
            raise EOFError(f"{name} is not what was kept under its name")
        return pickle.loads(content)


CHECKSUM_BYTES = 32


def _checksum(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


class ForgivingCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, in which whatever cannot be read is absent and whatever cannot be written is not
    kept."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = CheckedFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

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
