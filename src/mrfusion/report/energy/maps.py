"""The maps of an arm's energies, each read once: how well they find errors, and the cases that are shown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mrfusion.errors import InputError
from mrfusion.run_folder.energies import EnergyMaps, read_maps
from mrfusion.run_folder.pictures import read_slice
from mrfusion.study.load_run import LoadedRun

Energies = Mapping[tuple[int, int, str], float]  # fold, seed and case to the energy


@dataclass(frozen=True)
class CaseDetection:
    """How the map of e (mean over levels) goes with the error map of a case, inside the body.

    ``rho`` is Spearman's, ``higher`` how often a wrong voxel has the higher energy than a right one.
    """

    fold: int
    seed: int
    case: str
    rho: float
    higher: float


@dataclass(frozen=True)
class ShownMaps:
    """The maps of the cases with the highest and the lowest energy in one run, by these words."""

    run: LoadedRun
    maps: Mapping[str, EnergyMaps]


@dataclass(frozen=True)
class MapsSeen:
    """What one reading of all maps left; cases that are right everywhere, or wrong, have no detection."""

    detections: tuple[CaseDetection, ...]
    shown: ShownMaps | None
    problems: tuple[str, ...]


def see_maps(runs: Sequence[LoadedRun], energies: Energies) -> MapsSeen:
    """Read the kept maps of all runs, one after the other; no more than those shown are held in memory.

    Shown is the run with the lowest seed and fold that kept maps. What cannot be read is told in ``problems``.
    """
    detections, problems = list[CaseDetection](), list[str]()
    ends: dict[tuple[int, int], ShownMaps] = {}
    for run in runs:
        extremes = _Extremes()
        for path, picture in run.folder.energy_maps:
            try:
                maps = read_maps(path, read_slice(picture))
            except InputError as error:
                problems.append(str(error))
                continue
            case = maps.picture.case
            rho, higher = detection(maps)
            if not math.isnan(higher):
                detections.append(CaseDetection(run.fold, run.seed, case, rho, higher))
            extremes.add(maps, energies.get((run.fold, run.seed, case), math.nan))
        if extremes.found and (not ends or (run.seed, run.fold) < min(ends)):
            ends = {(run.seed, run.fold): ShownMaps(run, extremes.by_role())}
    return MapsSeen(tuple(detections), next(iter(ends.values()), None), tuple(problems))


def detection(maps: EnergyMaps) -> tuple[float, float]:
    """Spearman's rho and the share of :class:`CaseDetection`; NaN where all voxels are right, or all wrong."""
    wrong = maps.error[maps.body]
    count = int(wrong.sum())
    if count in (0, wrong.size):
        return math.nan, math.nan
    ranks = np.asarray(stats.rankdata(maps.energy.mean(axis=0)[maps.body]))
    higher = (ranks[wrong].sum() - count * (count + 1) / 2) / (count * (wrong.size - count))
    rho = float(np.corrcoef(ranks, wrong)[0, 1]) if ranks.std() else math.nan
    return rho, float(higher)


class _Extremes:
    """The maps with the highest and the lowest energy so far."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, EnergyMaps]] = {}

    def add(self, maps: EnergyMaps, value: float) -> None:
        if "highest" not in self.found or value > self.found["highest"][0]:
            self.found["highest"] = (value, maps)
        if "lowest" not in self.found or value < self.found["lowest"][0]:
            self.found["lowest"] = (value, maps)

    def by_role(self) -> dict[str, EnergyMaps]:
        """The highest first; a single case is the highest."""
        cases = {maps.picture.case: (role, maps) for role, (_, maps) in reversed(self.found.items())}
        return dict(reversed(cases.values()))
