"""What the runs of each arm recorded of their energies: before and after training, case by case, and as maps."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import stats

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.correlation import Point
from mrfusion.errors import InputError
from mrfusion.run_folder.energies import EnergyMaps, read_maps
from mrfusion.run_folder.pictures import read_slice
from mrfusion.study.load import LoadedRun, LoadedStudy

PARTS = ("evidence", "hierarchy", "dependency")


@dataclass(frozen=True)
class CaseEnergy:
    """One number of one test case under one run; ``level`` 0 is the finest."""

    fold: int
    seed: int
    case: str
    patient: str
    level: int
    quantity: str
    value: float


@dataclass(frozen=True)
class Change:
    """A mean over runs before the first epoch and at the epoch whose weights were kept; NaN where not recorded."""

    before: float
    after: float


@dataclass(frozen=True)
class ArmEnergies:
    """An arm's energies over its runs: rows of the history by name, and rows of its test cases."""

    arm: str
    runs: tuple[LoadedRun, ...]
    history: dict[str, Change]
    cases: tuple[CaseEnergy, ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that have an energy, from the finest."""
        return tuple(sorted({row.level for row in self.cases}))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those with a weight, in their order."""
        names = (row.quantity.removeprefix("pi/") for row in self.cases if row.quantity.startswith("pi/"))
        return tuple(dict.fromkeys(names))

    def below(self, prefix: str) -> dict[str, Change]:
        """The rows of the history that begin with ``prefix``, without it."""
        return {name.removeprefix(prefix): v for name, v in self.history.items() if name.startswith(prefix)}

    def of_cases(self, level: int, quantity: str) -> float:
        """The mean over test patients of a level's quantity; NaN where no case has it."""
        patients: dict[str, list[float]] = defaultdict(list)
        for row in self.cases:
            if (row.level, row.quantity) == (level, quantity):
                patients[row.patient].append(row.value)
        return fmean(fmean(values) for values in patients.values()) if patients else math.nan

    def energies(self, level: int | None = None) -> dict[tuple[int, int, str], float]:
        """(fold, seed, case) to its last energy at a level, or to the mean over all levels."""
        found: dict[tuple[int, int, str], list[float]] = defaultdict(list)
        for row in self.cases:
            if row.quantity == "energy" and level in (None, row.level):
                found[row.fold, row.seed, row.case].append(row.value)
        return {key: fmean(values) for key, values in found.items()}

    def between_classes(self, level: int) -> float:
        """Of the variance of the test cases' class energies within a run, the share that lies between classes.

        The mean over runs: 1 iff every class has a level of its own that all cases share, 0 iff classes coincide; one
        minus the loss ``energy`` on test cases. NaN where no run has two classes with energies that differ.
        """
        runs: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in self.cases:
            if row.level == level and row.quantity.startswith("class/"):
                runs[row.fold, row.seed][row.quantity].append(row.value)
        shares = [_between(list(classes.values())) for classes in runs.values()]
        return _mean([share for share in shares if not math.isnan(share)])


def load_energies(study: LoadedStudy) -> list[ArmEnergies]:
    """One entry for each arm with a run that recorded energies; InputError where a table is broken."""
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


def maps_of(run: LoadedRun, problems: list[str]) -> Iterator[EnergyMaps]:
    """The kept maps of a run's test cases, one after the other; what cannot be read is added to ``problems``."""
    for path, picture in run.folder.energy_maps:
        try:
            yield read_maps(path, read_slice(picture))
        except InputError as error:
            problems.append(str(error))


def detection(maps: EnergyMaps) -> tuple[float, float]:
    """Of the map of e (mean over levels) with the error map inside the body: Spearman's rho, and how often a wrong
    voxel has the higher energy than a right one; NaN where all voxels are right, or all wrong."""
    wrong = maps.error[maps.body]
    count = int(wrong.sum())
    if count in (0, wrong.size):
        return math.nan, math.nan
    ranks = np.asarray(stats.rankdata(maps.energy.mean(axis=0)[maps.body]))
    higher = (ranks[wrong].sum() - count * (count + 1) / 2) / (count * (wrong.size - count))
    rho = float(np.corrcoef(ranks, wrong)[0, 1]) if ranks.std() else math.nan
    return rho, float(higher)


def _arm(study: LoadedStudy, name: str, runs: Sequence[LoadedRun]) -> ArmEnergies:
    patients = {case.id: case.patient for case in study.cases}
    cases = tuple(row for run in runs for row in _case_rows(run, patients))
    if not cases:
        raise InputError(f"arm {name!r}: expected energies in {runs[0].folder.energy_table}, found none")
    return ArmEnergies(name, tuple(runs), _history(runs), cases)


def _case_rows(run: LoadedRun, patients: dict[str, str]) -> list[CaseEnergy]:
    try:
        return [
            CaseEnergy(run.fold, run.seed, row.case, patients[row.case], row.level, row.quantity, row.value)
            for row in run.folder.read_energies()
        ]
    except KeyError as error:
        raise InputError(
            f"expected energies of the study's cases at {run.folder.energy_table}, found {error}"
        ) from None


def _history(runs: Sequence[LoadedRun]) -> dict[str, Change]:
    """Rows of energies at epoch 0 and at the epoch that was kept, means over runs."""
    ends: dict[str, tuple[list[float], list[float]]] = {}
    for run in runs:
        last = max((epoch for epoch, _, _ in run.history), default=0)
        kept = int(run.environment.get("best_epoch", last))
        for epoch, name, value in run.history:
            if name.split("/")[0] in ("energy", "pi", "alignment") and math.isfinite(value):
                before, after = ends.setdefault(name, ([], []))
                before += [value] if epoch == 0 else []
                after += [value] if epoch == kept else []
    return {name: Change(_mean(before), _mean(after)) for name, (before, after) in ends.items()}


def _between(classes: Sequence[Sequence[float]]) -> float:
    whole = np.concatenate(classes)
    if len(classes) < 2 or not whole.var():
        return math.nan
    return 1 - math.fsum(np.var(each) * len(each) for each in classes) / float(whole.var() * len(whole))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan
