"""A race: a training that gains far less than its rival did in as many epochs is stopped early."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mrfusion.run_folder.quantity import SCORE
from mrfusion.run_folder.run import RunFolder


@dataclass(frozen=True)
class Race:
    """``scores`` are a rival's validation scores from epoch 0 on, from the same first weights; none: no race. [ours]

    Lost, after ``grace`` epochs: the best score so far has risen above the start by no more than ``SHARE`` of what the
    rival's had risen by in as many epochs; so also where neither has risen at all.
    """

    scores: Sequence[float] = ()
    grace: int = 2

    SHARE = 0.5

    def lost(self, epoch: int, best: float) -> bool:
        """Whether a training whose best score after ``epoch`` epochs is ``best`` can be given up."""
        if not self.scores or epoch < self.grace:
            return False
        start = self.scores[0]
        rival = list(itertools.accumulate(self.scores, max))[min(epoch, len(self.scores) - 1)]
        return best - start <= self.SHARE * (rival - start)


def race_against(rival: RunFolder, grace: int) -> Race:
    """A race against a finished run that began with the same weights."""
    return Race(rival.read_history().of(SCORE), grace)
