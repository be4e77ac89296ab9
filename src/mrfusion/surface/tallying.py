"""The kernel that counts equal pairs of a distance and a rank, without sorting them."""

import numpy as np
from numpy.typing import NDArray

from mrfusion.surface.compiled import compiled

Floats = NDArray[np.float64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: scatters whatever it multiplies


@compiled
def tally(distance: Floats, rank: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.uint8], NDArray[np.int64]]:
    """The different pairs of distance and rank, in the order of their first places, and how often each stands there.

    A hash table with open addressing: a pair's bits say where to look first, a place taken by another pair sends on
    to the next. At most half of the places are ever taken, and a table of few different pairs stays in the cache.
    """
    places = 2
    shift = np.uint64(63)
    while places < 2 * len(distance):
        places *= 2
        shift -= np.uint64(1)
    entry = np.full(places, -1, np.int32)
    distances, ranks = np.empty(len(distance)), np.empty(len(distance), np.uint8)
    count = np.zeros(len(distance), np.int64)
    bits = distance.view(np.uint64)
    different = 0
    for i in range(len(distance)):
        place = np.int64(((bits[i] ^ np.uint64(rank[i])) * GOLDEN) >> shift)
        while entry[place] >= 0 and (distances[entry[place]] != distance[i] or ranks[entry[place]] != rank[i]):
            place = (place + 1) & (places - 1)
        if entry[place] < 0:
            entry[place] = different
            distances[different], ranks[different] = distance[i], rank[i]
            different += 1
        count[entry[place]] += 1
    return distances[:different], ranks[:different], count[:different]
