"""Equal things counted: how much of what belongs to which, as short tables."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grouped_sum(one: NDArray[Any], other: NDArray[Any], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows (one, other, times) with equal pairs added up, ascending."""
    width = int(other.max(initial=0)) + 1
    key = one.astype(np.int64) * width + other
    order = np.argsort(key)
    key = key[order]
    first = np.flatnonzero(np.concatenate((key[:1] == key[:1], key[1:] != key[:-1])))
    total = np.add.reduceat(times[order], first) if len(first) else times[:0]
    return np.stack([key[first] // width, key[first] % width, total], axis=1)
