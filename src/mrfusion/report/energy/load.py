"""What the runs of each arm recorded of their energies: before and after training, case by case, and as maps."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import fmean

import numpy as np

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.correlation import Point
from mrfusion.errors import InputError
from mrfusion.report.energy.maps import MapsSeen, see_maps
from mrfusion.run_folder.quantity import Quantity
from mrfusion.study.load import LoadedStudy
from mrfusion.study.load_run import LoadedRun

PARTS = ("evidence", "hierarchy", "dependency")


@dataclass(frozen=True)
class CaseEnergy:
    """One number of one test case under one run; the quantity has a level."""

    fold: int
    seed: int
    case: str
    patient: str
    quantity: Quantity
    value: float


@dataclass(frozen=True)
class Change:
    """A mean over runs before the first epoch and at the epoch whose weights were kept; NaN where not recorded."""

    before: float
    after: float


@dataclass(frozen=True, eq=False)
class ArmEnergies:
    """An arm's energies over its runs: what the history says of each quantity, and rows of its test cases."""

    arm: str
    runs: tuple[LoadedRun, ...]
    history: dict[Quantity, Change]
    cases: tuple[CaseEnergy, ...]

    @cached_property
    def maps(self) -> MapsSeen:
        """What the maps of its runs show, read once."""
        return see_maps(self.runs, self.energies())

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that have an energy, from the finest."""
        return tuple(sorted({row.quantity.level or 0 for row in self.cases}))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those with a weight, in their order."""
        return tuple(dict.fromkeys(row.quantity.name for row in self.cases if row.quantity.kind == "pi"))

    def named(self, kind: str, level: int) -> dict[str, Change]:
        """What the history says of a kind of quantity at a level, by the quantities' names."""
        return {q.name: change for q, change in self.history.items() if (q.kind, q.level) == (kind, level)}

    def of_cases(self, quantity: Quantity) -> float:
        """The mean over test patients of a quantity; NaN where no case has it."""
        patients: dict[str, list[float]] = defaultdict(list)
        for row in self.cases:
            if row.quantity == quantity:
                patients[row.patient].append(row.value)
        return fmean(fmean(values) for values in patients.values()) if patients else math.nan

    def energies(self, level: int | None = None) -> dict[tuple[int, int, str], float]:
        """(fold, seed, case) to its last energy at a level, or to the mean over all levels."""
        found: dict[tuple[int, int, str], list[float]] = defaultdict(list)
        for row in self.cases:
            if (row.quantity.kind, row.quantity.name) == ("energy", "") and level in (None, row.quantity.level):
                found[row.fold, row.seed, row.case].append(row.value)
        return {key: fmean(values) for key, values in found.items()}

    def between_classes(self, level: int) -> float:
        """The mean over runs of :meth:`between_classes_by_run`; NaN where it has none."""
        return _mean([share for share in self.between_classes_by_run(level) if not math.isnan(share)])

    def between_classes_by_run(self, level: int) -> tuple[float, ...]:
        """Of the variance of the test cases' class energies within a run, the share that lies between classes.

        By fold and seed. 1 iff every class has a level of its own that all cases share, 0 iff classes coincide; one
        minus the loss ``energy`` on test cases. NaN for a run without two classes whose energies differ.
        """
        runs: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in self.cases:
            name = row.quantity.within("class")
            if row.quantity.level == level and name is not None:
                runs[row.fold, row.seed][name].append(row.value)
        return tuple(_between(list(runs[key].values())) for key in sorted(runs))


@lru_cache(maxsize=2)
def load_energies(study: LoadedStudy) -> list[ArmEnergies]:
    """One entry for each arm with a run that recorded energies; InputError where a table is broken.

    Kept, for the page and its JSON ask for the same.
    """
    found = ((arm.name, [r for r in study.runs_of(arm.name) if r.folder.has_energies]) for arm in study.arms)
    return [_arm(study, name, runs) for name, runs in found if runs]


def points(study: LoadedStudy, arm: ArmEnergies, metric: str, level: int | None = None) -> list[Point]:
    """Every test case's energy with its score, the mean over regions; cases without a score are left out."""
    energies, patients = arm.energies(level), {case.id: case.patient for case in study.cases}
    scores: dict[tuple[int, int, str], list[float]] = defaultdict(list)
    for run in arm.runs:
        for row in run.scores:
            if row.metric == metric and row.region != MEAN and not math.isnan(row.value):
                scores[run.fold, run.seed, row.case].append(row.value)
    return [
        Point(fold, seed, patients[case], energies[fold, seed, case], fmean(values))
        for (fold, seed, case), values in scores.items()
        if (fold, seed, case) in energies
    ]


def _arm(study: LoadedStudy, name: str, runs: Sequence[LoadedRun]) -> ArmEnergies:
    patients = {case.id: case.patient for case in study.cases}
    cases = tuple(row for run in runs for row in _case_rows(run, patients))
    if not cases:
        raise InputError(f"arm {name!r}: expected energies in {runs[0].folder.energy_table}, found none")
    return ArmEnergies(name, tuple(runs), _history(runs), cases)


def _case_rows(run: LoadedRun, patients: dict[str, str]) -> list[CaseEnergy]:
    try:
        return [
            CaseEnergy(run.fold, run.seed, row.case, patients[row.case], row.quantity, row.value)
            for row in run.folder.read_energies()
        ]
    except KeyError as error:
        raise InputError(
            f"expected energies of the study's cases at {run.folder.energy_table}, found {error}"
        ) from None


def _history(runs: Sequence[LoadedRun]) -> dict[Quantity, Change]:
    """Rows of energies at epoch 0 and at the epoch that was kept, means over runs."""
    ends: dict[Quantity, tuple[list[float], list[float]]] = {}
    for run in runs:
        last = max((epoch for epoch, _, _ in run.history), default=0)
        kept = int(run.environment.get("best_epoch", last))
        for epoch, quantity, value in run.history:
            if quantity.kind in ("energy", "pi", "alignment") and math.isfinite(value):
                before, after = ends.setdefault(quantity, ([], []))
                before += [value] if epoch == 0 else []
                after += [value] if epoch == kept else []
    return {quantity: Change(_mean(before), _mean(after)) for quantity, (before, after) in ends.items()}


def _between(classes: Sequence[Sequence[float]]) -> float:
    whole = np.concatenate(classes)
    if len(classes) < 2 or not whole.var():
        return math.nan
    return 1 - math.fsum(np.var(each) * len(each) for each in classes) / float(whole.var() * len(whole))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan
