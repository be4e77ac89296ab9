"""Finished runs on cases that were never in their cohort: read, prepare, predict, write beside nothing of theirs."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from mrfusion import families, hardware
from mrfusion.case import Case, Cohort
from mrfusion.data.absence import are_absent, check_files
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import OpenedCase, open_case
from mrfusion.data.nifti.header import read_header
from mrfusion.errors import CaseError, InputError, Note, SpecError
from mrfusion.files import temporary_folder
from mrfusion.finished_run.load import FinishedRun
from mrfusion.finished_run.together import Together
from mrfusion.progress import Progress, silent
from mrfusion.run.answers import answered, make_answers
from mrfusion.spec import Machine, Source
from mrfusion.training.assemble import check_mirror, make_fabric
from mrfusion.training.objective import out_channels

AUTOMATIC = Machine()  # a GPU where there is one


@dataclass(frozen=True)
class Asked:
    """How cases are predicted: ``mirror`` averages over the mirrors of each case (four times the work in 2-D, eight in
    3-D), ``probabilities`` writes a map of each region's probability beside the label map."""

    mirror: bool = False
    probabilities: bool = False


PLAIN = Asked()


def predict(
    runs: FinishedRun | Sequence[FinishedRun],
    places: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    asked: Asked = PLAIN,
    layout: str | None = None,
    machine: Machine = AUTOMATIC,
    progress: Progress = silent,
) -> list[Path]:
    """Predict every case found under ``places``, one or several folders of cases; gives the files written to ``out``.

    Several runs, the folds and seeds of one arm, answer by the mean of their probabilities. Cases are read by the runs'
    own layout, or by ``layout``. They need no labels, and only the modalities that the plan reads; of these, runs that
    were trained with ``absence`` let some be missing, and a note says so. Segmentations are written in each case's own
    grid, affine and label convention; classifications as one table, ``probabilities.csv``, whose
    column ``target`` is empty. One case and one network are
    in memory at a time; what a case takes is said before it is read. InputError or CaseError for what cannot be read.
    """
    together = _asked_of([runs] if isinstance(runs, FinishedRun) else runs, asked)
    several = [places] if isinstance(places, Path | str) else places
    first, out = together[0], Path(out)
    cohort = _cohort(first, [Path(place) for place in several], layout)
    model = Together(together, make_fabric(machine, first.spec.budget.precision))
    answers = make_answers(first.spec, first.outline, model, maps=asked.probabilities)
    return answers.write(answered(answers, prepared_cases(first, cohort, out, progress)), out)


def _asked_of(runs: Sequence[FinishedRun], asked: Asked) -> list[FinishedRun]:
    """The runs with what is asked of them in their specifications."""
    found = [replace(run, spec=run.spec.model_copy(update={"mirror": run.spec.mirror or asked.mirror})) for run in runs]
    for run in found:
        check_mirror(run.spec)
    return found


def prepared_cases(run: FinishedRun, cohort: Cohort, out: Path, progress: Progress) -> Iterator[OpenedCase]:
    """One case after the other, prepared in a folder inside ``out`` that is removed again."""
    with temporary_folder(out) as cache:
        for number, case in enumerate(cohort.cases):
            progress(number, len(cohort.cases), f"{case.id}, {_checked_gib(case, run):.1f} GiB of memory")
            _note_what_is_absent(case, run)
            prepared = prepare_cohort(replace(cohort, cases=(case,)), run.spec.data.preparation, cache)[case.id]
            yield open_case(case, run.outline, prepared, run.modalities, run.spec.sampling.scored_slices)
        progress(len(cohort.cases), len(cohort.cases), "done")


def _checked_gib(case: Case, run: FinishedRun) -> float:
    """About how much memory the case takes beside the network; CaseError where so much is not free.

    Counted are its images as they are read and prepared, logits and probabilities of all channels with what they are
    summed in, and the masks; on the finer of the grid of its files and the prepared one.
    """
    (shape, affine) = read_header(case.images[run.modalities[0]] if run.modalities[0] in case.images else
                                  next(iter(case.images.values())), many=True).turned  # fmt: skip
    spacing = (affine[:3, :3] ** 2).sum(0) ** 0.5
    wanted = run.spec.data.preparation.spacing_mm or (None,) * 3
    finer = prod(max(1.0, max(spacing) / mm) for mm in wanted if mm is not None)
    channels = 3 * len(case.images) + 4 * out_channels(run.spec, run.outline)
    gib, free = 4 * prod(shape) * finer * channels / 2**30, hardware.free_mib() / 2**10
    if gib > free:
        raise CaseError(
            f"case {case.id} of {' x '.join(map(str, shape))} voxels would take about {gib:.1f} GiB, and {free:.1f} "
            "are free; cut away what is empty, or predict it on a machine with more memory"
        )
    return float(gib)


def _note_what_is_absent(case: Case, run: FinishedRun) -> None:
    absent = [name for name in run.modalities if name not in case.images]
    if absent:
        present = ", ".join(name for name in run.modalities if name in case.images)
        warnings.warn(
            f"case {case.id}: {are_absent(absent)}; it is predicted from {present}, as training has practised",
            Note,
            stacklevel=2,
        )


def _cohort(run: FinishedRun, places: Sequence[Path], layout: str | None) -> Cohort:
    source = _source(run, layout)
    cases: list[Case] = []
    for place in places:
        if not place.exists():
            raise InputError(f"expected a case's folder at {place}, found nothing")
        options = {**source.options, "may_lack": ("images", "labels")}
        with _expected_as_in_training(source) if layout is None else nullcontext():
            cases += families.load("layouts", source.layout, options)(place).cases
    return Cohort(run.outline.modalities, tuple(_with_needed(case, run) for case in cases), run.outline.regions)


@contextmanager
def _expected_as_in_training(source: Source) -> Iterator[None]:
    """Where new cases cannot be read in the layout that the run's own lie in, the message says that it was tried."""
    try:
        yield
    except InputError as error:
        hint = f"the run's own cases lie as {source.layout}; where these lie otherwise, say with --layout how"
        raise type(error)(f"{error}; {hint}") from None


def _source(run: FinishedRun, layout: str | None) -> Source:
    if layout is not None:
        return Source(path=Path(), layout=layout)
    known = {(source.layout, str(source.options)): source for source in run.spec.data.sources}
    if len(known) > 1:
        raise SpecError(
            f"the run was trained on sources in several layouts ({', '.join(name for name, _ in known)}); "
            "say with --layout which of them the new cases have"
        )
    return next(iter(known.values()))


def _with_needed(case: Case, run: FinishedRun) -> Case:
    check_files(case, run.spec, run.modalities)
    needed = {*run.modalities, run.spec.data.preparation.resample_to}
    images = {name: path for name, path in case.images.items() if name in needed}
    return replace(case, images=images, label_map=None)
