"""A finished run on every subset of its modalities: each test case is predicted for all 2^M - 1 of them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mrfusion.case import Case
from mrfusion.comparison.shapley import subsets
from mrfusion.comparison.subset_scores import summarise_subsets, text_of
from mrfusion.data.load import OpenedCase, open_case
from mrfusion.data.prepared import Prepared
from mrfusion.data.read import RunData, read_data
from mrfusion.errors import InputError, OutputError, SpecError, TakenError
from mrfusion.finished_run.load import FinishedRun, read_run
from mrfusion.lock import alone
from mrfusion.progress import Progress, ProgressFile
from mrfusion.result import ScoreRow
from mrfusion.run.answers import make_answers
from mrfusion.run_folder.study import StudyFolder
from mrfusion.run_folder.subsets import SubsetFolder
from mrfusion.spec import Machine
from mrfusion.training.assemble import make_fabric

ALL = "*"  # the region of a class


def write_subsets(
    run: FinishedRun, data: RunData, out: SubsetFolder, *, machine: Machine, progress: Progress
) -> SubsetFolder:
    """The scores of every subset and their summary, in the folder ``out``, whole or not at all.

    Segmentations are scored by Dice and whatever else of the run's metrics is better when higher, classifications by
    the probability of the right class and whether it is the highest. Cases that lack a file are left out.
    """
    with out.building() as work:
        rows = list(_scores(run, data, machine, progress))
        about = {"run": run.folder.digest, "plan": str(run.spec.plan), "absence": run.spec.absence}
        cases = len({row.case for row in rows})
        work.write(rows, about | {"cases": cases} | summarise_subsets(rows, modalities_of(run, data)).as_json())
    return out


def modalities_of(run: FinishedRun, data: RunData) -> tuple[str, ...]:
    """The modalities that there are subsets of: those of the run, without those that are absent in every case."""
    return tuple(name for name in run.modalities if any(name in case.images for case in data.cohort.cases))


def is_done(out: SubsetFolder) -> bool:
    """Whether ``out`` holds the scores of all subsets; OutputError where it holds something else."""
    if out.path.exists() and not out.is_done:
        raise OutputError(
            f"expected a folder that does not exist yet, or holds the scores of subsets, at {out.path}; "
            "name another --out"
        )
    return out.is_done


def data_of(run: FinishedRun, *, data: Path | None, cache: Path, progress: Progress) -> RunData:
    """The data that the run was trained and tested on, at ``data`` if it has moved; InputError if it has changed."""
    if len(run.modalities) == 1:
        raise SpecError(f"run {run.folder.digest} reads {run.modalities[0]} alone; there is nothing to leave out")
    sources = run.spec.data.sources
    if data is not None:
        if len(sources) > 1:
            raise SpecError(f"the run has {len(sources)} sources; --data can stand in for a single one")
        sources = (sources[0].model_copy(update={"path": data}),)
    found = read_data(
        run.spec.data.model_copy(update={"sources": sources}), task=run.spec.task, cache=cache, progress=progress
    )
    if found.fingerprint != run.spec.data.fingerprint:
        raise InputError(f"the data are no longer those of run {run.folder.digest}; give their place with --data")
    return found


def subsets_of_run(folder: str, out: str, cache: str) -> str | None:
    """The door for executors: the subsets of one run of the study in ``out``; the path of their folder. None where
    another process is at it, or has made it."""
    run, study = read_run(Path(folder), trusted=None), StudyFolder(Path(out))
    digest = run.folder.digest
    name = study.subsets_job(digest)
    with (
        suppress(TakenError),
        alone(study.lock_of(name), f"the subsets of run {digest} of {out}") as claim,
        ProgressFile(study.progress_of(name)) as watched,
    ):
        if run.folder.subsets.is_done:
            return None
        progress = claim.checked(watched)
        data = data_of(run, data=None, cache=Path(cache), progress=progress)
        return str(write_subsets(run, data, run.folder.subsets, machine=run.spec.machine, progress=progress).path)
    return None


def _scores(run: FinishedRun, data: RunData, machine: Machine, progress: Progress) -> Iterator[ScoreRow]:
    model = run.model(make_fabric(machine, run.spec.budget.precision))
    names: Sequence[str] = getattr(data.splits[run.spec.fold], run.spec.score_on)
    present = modalities_of(run, data)
    cases = [case for case in map(data.cohort.case, names) if set(present) <= set(case.images)]
    if not cases:
        raise InputError(f"expected test cases with all of {', '.join(present)}, found none")
    every, answers = subsets(present), make_answers(run.spec, run.outline, model)
    for number, case in enumerate(cases):
        for place, subset in enumerate(every):
            text = text_of(subset, present)
            progress(number * len(every) + place, len(cases) * len(every), f"{case.id}, {text}")
            prepared = data.prepared[case.id]
            opened = _opened(run, case, prepared, subset)
            for score in answers.judge_subset(opened, case=case, prepared=prepared):
                yield ScoreRow(text, 0, 0, case.id, case.patient, score.region, score.metric, score.value)


def _opened(run: FinishedRun, case: Case, prepared: Prepared, present: frozenset[str]) -> OpenedCase | None:
    """The case with some of its modalities; None where all are absent."""
    if not present:
        return None
    absent = set(run.modalities) - present
    return open_case(case, run.outline, prepared, run.modalities, run.spec.sampling.scored_slices, absent=absent)
