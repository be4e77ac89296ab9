"""Quality control of a cohort by a trained run: whose modalities do not belong together, by what they add to E."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median

from scipy import stats

from mrfusion.case import Case, Cohort
from mrfusion.data.absence import are_absent
from mrfusion.errors import CaseError, InputError, SpecError
from mrfusion.files import write_rows
from mrfusion.finished_run.load import FinishedRun
from mrfusion.finished_run.mismatch import Key, pulls, suspicion, usual
from mrfusion.finished_run.predict import prepared_cases
from mrfusion.progress import Progress, silent
from mrfusion.run_folder.quantity import Quantity
from mrfusion.spec import Machine
from mrfusion.training.assemble import make_fabric
from mrfusion.training.energies import has_energy
from mrfusion.training.quantify import Quantifier

FEWEST = 4  # of the run's own test cases
BY_CHANCE = 0.01  # how many right cases would be called suspicious
Row = tuple[Quantity, float]
Own = dict[str, list[Row]]  # the run's test cases, by id


@dataclass(frozen=True)
class Judged:
    """A case: its energy (mean over levels), how far that is from the run's own cases in robust deviations, and how
    suspicious each modality is; ``limit`` is what a right case rarely exceeds. ``problem`` says why it was not judged.
    """

    case: str
    patient: str
    energy: float = math.nan
    unusual: float = math.nan
    suspicions: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[int, float] = field(default_factory=dict)
    limit: float = math.nan
    problem: str = ""

    @property
    def modality(self) -> str:
        """The one that fits the others least."""
        return max(self.suspicions, key=self.suspicions.__getitem__) if self.suspicions else ""

    @property
    def suspicion(self) -> float:
        """That of this modality."""
        return self.suspicions[self.modality] if self.suspicions else math.nan

    @property
    def suspicious(self) -> bool:
        """Whether it should be looked at."""
        return self.suspicion > self.limit


def judge(run: FinishedRun, cohort: Cohort, *, machine: Machine, work: Path, progress: Progress) -> list[Judged]:
    """Every case against the run's own test cases, the most suspicious first; ``work`` holds temporary files.

    A case is never compared with itself. One that cannot be read, or lacks a modality of the run, is last, with the
    reason. InputError where the run recorded too few energies, SpecError where it has none.
    """
    own = own_energies(run)
    model = run.model(make_fabric(machine, run.spec.budget.precision))
    if not has_energy(model.predictor.network):
        raise SpecError(f"run {run.folder.digest} of plan {str(run.spec.plan)!r} has no energy; name one that has")
    quantifier, judged = Quantifier(model.predictor), []
    for number, case in enumerate(cohort.cases):
        progress(number, len(cohort.cases), case.id)
        try:
            judged.append(compare(case, _energies(run, case, quantifier, work), own))
        except CaseError as error:
            judged.append(Judged(case.id, case.patient, problem=str(error)))
    progress(len(cohort.cases), len(cohort.cases), "done")
    return ranked(judged)


def own_energies(run: FinishedRun) -> Own:
    """What the run recorded of its own test cases; InputError where it did not, or of too few."""
    found: Own = {}
    for row in run.folder.read_energies():
        found.setdefault(row.case, []).append((row.quantity, row.value))
    if len(found) <= FEWEST:
        raise InputError(
            f"run {run.folder.digest} recorded the energies of {len(found)} test cases; more than {FEWEST} are "
            "needed to say what is usual"
        )
    return found


def compare(case: Case, rows: Sequence[Row], own: Own) -> Judged:
    """One case's energies against those of the run's own test cases, itself left out."""
    others = [each for name, each in own.items() if name != case.id]
    by = [pulls(each) for each in others]
    levels = _energy_by_level(rows)
    energy = fmean(levels.values())
    usual_energy = [fmean(_energy_by_level(each).values()) for each in others]
    return Judged(
        case.id,
        case.patient,
        energy,
        _robust(energy, usual_energy),
        suspicion(pulls(rows), usual(by)),
        levels,
        limit(by),
    )


def _energy_by_level(rows: Sequence[Row]) -> dict[int, float]:
    """Level to the last E."""
    return {q.level: value for q, value in rows if q == Quantity("energy", level=q.level) and q.level is not None}


def limit(cases: Sequence[Mapping[Key, float]]) -> float:
    """What the largest suspicion of a right case exceeds with probability :data:`BY_CHANCE` at most, were pulls normal.

    Student's t for one more case than those that say what is usual, corrected for the number of pulls (Bonferroni);
    so the fewer cases say it, the more must be seen.
    """
    count, tests = len(cases), max(1, max(map(len, cases), default=1))
    return float(stats.t.isf(BY_CHANCE / tests, count - 1)) * math.sqrt((count + 1) / (count - 1))


def ranked(judged: Sequence[Judged]) -> list[Judged]:
    """The most suspicious by their limits first, those that were not judged last."""
    return sorted(
        judged, key=lambda one: (bool(one.problem), 0.0 if one.problem else -one.suspicion / one.limit, one.case)
    )


def write_judged(path: Path, judged: Sequence[Judged], modalities: Sequence[str]) -> None:
    """The table of all cases in their order, with every level's energy and every modality's suspicion."""
    levels = sorted({level for one in judged for level in one.levels})
    header = ("rank", "case", "patient", "suspicious", "modality", "suspicion", "limit", "energy", "unusual",
              *(str(Quantity("energy", level=level)) for level in levels),
              *(f"suspicion/{name}" for name in modalities),
              "problem")  # fmt: skip
    write_rows(path, header, [_row(rank, one, levels, modalities) for rank, one in enumerate(judged, 1)])


def _row(rank: int, one: Judged, levels: Sequence[int], modalities: Sequence[str]) -> tuple[object, ...]:
    each = [one.levels.get(level, math.nan) for level in levels]
    each += [one.suspicions.get(name, math.nan) for name in modalities]
    mark = "" if one.problem else ("yes" if one.suspicious else "no")
    return (rank, one.case, one.patient, mark, one.modality, one.suspicion, one.limit, one.energy, one.unusual, *each,
            one.problem)  # fmt: skip


def _robust(value: float, others: Sequence[float]) -> float:
    """Distance from the median in units of 1.4826 times the median deviation, which is that of a normal spread."""
    middle = median(others)
    spread = 1.4826 * median(abs(other - middle) for other in others)
    return (value - middle) / spread if spread > 0 else math.nan


def _energies(run: FinishedRun, case: Case, quantifier: Quantifier, work: Path) -> list[Row]:
    absent = [name for name in run.modalities if name not in case.images]
    if absent:
        raise CaseError(f"{are_absent(absent)}; energies of fewer modalities are not comparable")
    needed = {*run.modalities, run.spec.data.preparation.resample_to}
    images = {name: path for name, path in case.images.items() if name in needed}
    alone = replace(case, images=images, label_map=None)
    cohort = Cohort(run.outline.modalities, (alone,), run.outline.regions, run.outline.classes)
    # inside the loop, for a prepared case is gone when the next one is asked for
    return [
        row
        for one in prepared_cases(run, cohort, work, silent)
        for row in quantifier.quantify(one.loaded, run.modalities, one.loaded.slices[0]).rows
    ]
