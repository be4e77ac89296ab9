"""What the runs of each arm scored with every subset of its modalities, where that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mrfusion.comparison.subset_scores import SubsetSummary, summarise_subsets
from mrfusion.errors import InputError
from mrfusion.plan import parse_plan
from mrfusion.study.load import LoadedStudy
from mrfusion.study.load_run import LoadedRun


@dataclass(frozen=True)
class ArmSubsets:
    """An arm's scores of all subsets, over those of its runs that have them; ``trained`` for missing modalities."""

    arm: str
    runs: int
    trained: bool
    summary: SubsetSummary

    @property
    def patients(self) -> int:
        """How many there are."""
        return max(row.patients for row in self.summary.means)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values, in the unit of the stored scores."""
        return {"arm": self.arm, "runs": self.runs, "trained_for": self.trained} | self.summary.as_json()


@lru_cache(maxsize=2)
def load_subsets(study: LoadedStudy) -> list[ArmSubsets]:
    """One entry for each arm that has such runs; InputError where a table is broken.

    Kept, for the page and its JSON ask for the same.
    """
    found = ((arm.name, [r for r in study.runs_of(arm.name) if r.folder.subsets.path.is_dir()]) for arm in study.arms)
    return [_arm(name, runs) for name, runs in found if runs]


def dedicated(study: LoadedStudy, subset: Sequence[str]) -> list[str]:
    """The arms that were trained on just these modalities, and always on all of them."""
    return [
        arm.name
        for arm in study.arms
        if any(_reads(run, study.modalities) == tuple(subset) and not _absence(run) for run in study.runs_of(arm.name))
    ]


def _arm(name: str, runs: Sequence[LoadedRun]) -> ArmSubsets:
    read = {_modalities(run) for run in runs}
    if len(read) > 1:
        raise InputError(
            f"arm {name!r}: its runs were scored on the subsets of different modalities; delete the folder "
            f"{runs[0].folder.subsets.path.name} of each"
        )
    rows = [row for run in runs for row in run.folder.subsets.read_scores(fold=run.fold, seed=run.seed)]
    if not rows:
        raise InputError(f"arm {name!r}: expected scores in {runs[0].folder.subsets.table}, found none")
    return ArmSubsets(name, len(runs), all(_absence(run) for run in runs), summarise_subsets(rows, read.pop()))


def _modalities(run: LoadedRun) -> tuple[str, ...]:
    return tuple(str(name) for name in run.folder.subsets.read_summary()["modalities"])


def _reads(run: LoadedRun, available: Sequence[str]) -> tuple[str, ...]:
    return parse_plan(str(run.spec["plan"])).modalities(available)


def _absence(run: LoadedRun) -> bool:
    return bool(run.spec.get("absence", "none") != "none")
