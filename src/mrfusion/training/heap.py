"""The heap: memory that a training step frees is kept for the next step instead of going back to the system."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_BLOCK = 32 * 2**20  # the most that glibc takes
_KEPT = 2**30


def keep_heap() -> None:
    """Reuse freed blocks of up to 32 MiB, and keep up to 1 GiB of them; larger blocks are given back as ever.

    A step on a CPU frees and asks for the same tens of MiB of feature maps. By glibc's defaults these pages go back to
    the system and are faulted in, and zeroed, anew: a sixth of the CPU time of a 2-D step (``bench/train_loop.py``).
    Does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
