"""Arrays in .npy files that are opened when they are read, a bounded number at a time: a cohort may have any size."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from mrfusion.errors import CaseError, InputError, reason

MOST_OPEN = 64  # files of a process; what its libraries and its workers need must fit beside them under a limit of 256


class OnDisk(NDArrayOperatorsMixin):
    """A part of an array on disk, (S, H, W) or (S, M, H, W), which reads like the array itself.

    ``window`` are the slices (S, H, W) of it, ``channels`` the wanted entries of the second axis. What an index asks
    for is read and nothing else: a view into a memory map, but a copy where the channels do not lie evenly.
    """

    def __init__(self, path: Path, window: tuple[slice, ...], dtype: Any, channels: Sequence[int] | None = None):
        self.path, self.window, self.dtype = path, window, np.dtype(dtype)
        self.channels = None if channels is None else tuple(channels)
        sides = [side.stop - side.start for side in window]
        self.shape = (*sides[:1], *((len(self.channels),) if self.channels is not None else ()), *sides[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """As of an array; one channel, or some slices, are taken before anything is copied."""
        whole = opened(self.path)
        if self.channels is None:
            return whole[self.window][key]  # type: ignore[no-any-return]
        s, h, w = self.window
        if isinstance(key, tuple) and len(key) > 1 and isinstance(key[1], int | np.integer):
            return whole[s, self.channels[key[1]], h, w][(key[0], *key[2:])]  # type: ignore[no-any-return]
        if isinstance(key, tuple):
            return whole[s, :, h, w][:, _evenly(self.channels)][key]
        return whole[s, :, h, w][key][..., _evenly(self.channels), :, :]  # type: ignore[no-any-return]

    def __array_ufunc__(self, function: np.ufunc, method: str, *given: Any, **options: Any) -> Any:
        """Calculating and comparing are numpy's, of what is read."""
        return getattr(function, method)(*(each[:] if isinstance(each, OnDisk) else each for each in given), **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype, copy=copy or None)


def opened(path: Path) -> NDArray[Any]:
    """The whole array, memory-mapped; CaseError where it is damaged, InputError where the system does not open it."""
    try:
        return _kept_open(path)
    except OSError as error:
        raise InputError(
            f"the system cannot open the prepared case {path}: {reason(error)}. Where files or memory are "
            "limited, raise the limit (ulimit -n for open files) or run fewer things at once; the same command goes on"
        ) from None
    except ValueError as error:
        raise CaseError(
            f"the prepared case {path} is not what was written there ({error}); remove the folder {path.parent}, and "
            "the case is prepared anew"
        ) from None


@lru_cache(maxsize=MOST_OPEN)
def _kept_open(path: Path) -> NDArray[Any]:
    """The whole array as a plain view, which is quicker to cut than a memory map itself."""
    return np.asarray(np.memmap(path, mode="r", **_layout(path)))


@lru_cache(maxsize=2**16)
def _layout(path: Path) -> dict[str, Any]:
    """What the header of a file says; kept, since reading it takes longer than opening the file."""
    found = open_memmap(path, mode="r")
    order = "F" if found.flags.f_contiguous and not found.flags.c_contiguous else "C"
    return {"dtype": found.dtype, "offset": found.offset, "shape": found.shape, "order": order}


def _evenly(places: Sequence[int]) -> slice | list[int]:
    """A slice where the places are evenly spaced, so that numpy gives a view."""
    step = places[1] - places[0] if len(places) > 1 else 1
    if step == 0 or list(places) != list(range(places[0], places[-1] + (1 if step > 0 else -1), step)):
        return list(places)
    stop = places[-1] + (1 if step > 0 else -1)
    return slice(places[0], None if stop < 0 else stop, step)
