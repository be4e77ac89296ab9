"""A case of a few voxels is scored before the long work begins: what cannot be compiled or asked is found there."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mrfusion.case import Region
from mrfusion.rules import Rule
from mrfusion.scoring.masks import score_checked
from mrfusion.surface.engine import engine


def rehearse(metrics: Sequence[str], rule: Rule) -> None:
    """Score two small masks by these metrics, so that their kernels are compiled and have run.

    Where they cannot be, the slower way is taken for all that follows, with a note. Raises SpecError for a metric that
    is not there or whose options are none.
    """
    target = np.zeros((8, 8, 6), np.uint8)
    target[2:5, 2:6, 1:4] = 1
    region = Region("rehearsal", frozenset({1}))
    score = partial(score_checked, target=target, regions=(region,), spacing_mm=(1, 1, 2), metrics=metrics, rule=rule)
    engine.tried(lambda: score("rehearsal", np.roll(target, 1, axis=0)))
