"""A study that stops when it is decided: which seeds each arm needs next, from the runs that are there.

Nothing is kept but run folders. Every arm begins with as many seeds as the first look needs; then the judge
(:mod:`mrfusion.comparison.stopping`) says of each arm whether it is decided, hopeless or goes on, and an arm that goes
on gets one seed more, in every fold, with the reference. So an interrupted study goes on where it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mrfusion.comparison.spending import Spending
from mrfusion.comparison.stopping import Standing, standing
from mrfusion.result import ScoreRow
from mrfusion.study.design import PlannedRun, Study
from mrfusion.study.quest import Quest

Asked = TypeVar("Asked", PlannedRun, Quest)


@dataclass(frozen=True)
class Look:
    """What a look at a study says: how many of its seeds each arm needs, where the arms stand, and what was saved.

    ``order`` has the arms, those first whose next runs decide most.
    """

    seeds: Mapping[str, int]
    standings: tuple[Standing, ...]
    order: tuple[str, ...]

    def due(self, study: Study, asked: Iterable[Asked]) -> tuple[Asked, ...]:
        """Of runs or searches those that are due now; each arm's first seeds, the arms in their order."""
        found = [one for one in asked if study.seeds.index(one.seed) < self.seeds[one.arm]]
        return tuple(sorted(found, key=lambda one: (study.seeds.index(one.seed), self.order.index(one.arm))))

    def saved(self, study: Study) -> int:
        """How many runs, of those that all seeds would take, are not asked for; runs of a search's candidates apart."""
        return len(study.folds) * sum(len(study.seeds) - count for count in self.seeds.values())

    def plain(self, study: Study) -> dict[str, Any]:
        """As plain values: a sentence for each arm, the runs that were saved, and those that all seeds would take."""
        total = len(study.folds) * len(study.seeds) * len(study.arms)
        arms = {one.arm: one.reason for one in self.standings}
        return {"arms": arms, "saved": self.saved(study), "total": total}


def look(study: Study, rows: Sequence[ScoreRow]) -> Look:
    """Where a study stands that runs at most ``study.most_seeds`` seeds; ``rows`` are the scores of finished runs.

    The study's rounds are told anew from its beginning, each from the runs of the rounds before and from no others: so
    what is asked for does not depend on where a round was interrupted.
    """
    rule, there = Spending(most_seeds=len(study.seeds)), {(row.arm, row.seed, row.fold) for row in rows}
    needed, found = {arm.name: rule.fewest_seeds for arm in study.arms}, list[Standing]()
    while all(run in there for run in _runs(study, needed)):
        due = set(_runs(study, needed))
        found = standing(
            [row for row in rows if (row.arm, row.seed, row.fold) in due], study.reference, study.hypotheses, rule
        )
        more = _needed(study, needed, found)
        if more == needed:
            break
        needed = more
    order = dict.fromkeys([study.reference, *(one.arm for one in found), *needed])
    return Look(needed, tuple(found), tuple(order))


def _runs(study: Study, needed: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Arm, seed and fold of the runs that a round needs."""
    return [(arm, seed, fold) for arm, count in needed.items() for seed in study.seeds[:count] for fold in study.folds]


def _needed(study: Study, needed: Mapping[str, int], found: Sequence[Standing]) -> dict[str, int]:
    """The seeds of the next round: one more for whoever goes on, and the reference as many as any arm."""
    on = [one.arm for one in found if one.state == "go on"]
    more = {**needed, **{arm: min(needed[arm] + 1, len(study.seeds)) for arm in on}}
    return more | {study.reference: max(count for arm, count in more.items() if arm != study.reference)}
