"""A finished run on cases that were never in its cohort: read, prepare, predict, write beside nothing of theirs."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from lightning_fabric import Fabric

from mrfusion import families
from mrfusion.case import Case, Cohort
from mrfusion.data.absence import check_files
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import OpenedCase, open_case
from mrfusion.errors import InputError, SpecError
from mrfusion.files import temporary_folder
from mrfusion.progress import Progress, silent
from mrfusion.run.answers import answered, make_answers
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import Machine, RunSpec, Source
from mrfusion.training.assemble import Model, load_network, make_fabric, make_model

LARGEST_SAMPLE = 2**24  # grid points; 256 x 256 x 256
MOST_NAMES = 64
AUTOMATIC = Machine()  # a GPU where there is one


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder as prediction needs it."""

    folder: RunFolder
    spec: RunSpec
    outline: Cohort
    sample_size: tuple[int, int, int]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that a case should have; those that training left out at times it may lack."""
        return self.spec.plan.modalities(self.outline.modalities)

    def model(self, fabric: Fabric) -> Model:
        """The trained network on the device of ``fabric``."""
        network = load_network(self.spec, self.outline, self.folder.weights)
        return make_model(self.spec, self.outline, network=network, size=self.sample_size, fabric=fabric)


def read_run(folder: PathLike[str] | str, trusted: Sequence[str] | None = ()) -> FinishedRun:
    """The run in ``folder``; InputError if it is none.

    A run may come from anyone, and its specification may name code by its address (``package.module:Class``). Such
    code is imported only where ``trusted`` holds its package; SpecError otherwise. None trusts all: the study that is
    being conducted named them itself.
    """
    here = RunFolder(Path(folder))
    spec = here.read_spec()
    if trusted is not None:
        _check_trusted(outside_code(spec), trusted, here.path)
    try:
        outline, size = here.read_outline(), here.read_environment()["sample_size"]
        if len(size) != 3 or not all(type(n) is int and n > 0 for n in size) or math.prod(size) > LARGEST_SAMPLE:
            raise ValueError(f"sample_size is {size}")
        if max(len(outline.modalities), len(outline.regions), len(outline.classes)) > MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES} modalities, regions or classes")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"expected cohort.json and environment.json of a finished run in {folder}, found others ({error}); "
            "copy the run's folder anew"
        ) from None
    return FinishedRun(here, spec, outline, (size[0], size[1], size[2]))


def outside_code(spec: RunSpec) -> list[str]:
    """The addresses of code outside of mrfusion that a run names; its files' paths are none."""
    content = spec.model_dump(mode="json", exclude={"data"})
    return families.addresses([content, *(source.layout for source in spec.data.sources)])


def _check_trusted(addresses: Iterable[str], trusted: Sequence[str], folder: Path) -> None:
    for address in addresses:
        package = address.partition(":")[0]
        if not any(package == name or package.startswith(f"{name}.") for name in trusted):
            raise SpecError(
                f"the run in {folder} names code outside of mrfusion, {address}, which loading it would run; "
                f"if you know it, say --trust {package}"
            )


def predict(
    run: FinishedRun,
    places: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    layout: str | None = None,
    machine: Machine = AUTOMATIC,
    progress: Progress = silent,
) -> list[Path]:
    """Predict every case found under ``places``, one or several folders of cases; gives the files written to ``out``.

    Cases are read by the run's own layout, or by ``layout``. They need no labels, and only the modalities that the
    run's plan reads; of these, a run that was trained with ``absence`` lets some be missing. Segmentations are written
    in each case's own grid, affine and label convention; classifications as one table, ``probabilities.csv``, whose
    column ``target`` is empty.
    InputError or CaseError for what cannot be read.
    """
    several = [places] if isinstance(places, Path | str) else places
    out, cohort = Path(out), _cohort(run, [Path(place) for place in several], layout)
    cases = prepared_cases(run, cohort, out, progress)
    model = run.model(make_fabric(machine, run.spec.budget.precision))
    answers = make_answers(run.spec, run.outline, model)
    return answers.write(answered(answers, cases), out)


def prepared_cases(run: FinishedRun, cohort: Cohort, out: Path, progress: Progress) -> Iterator[OpenedCase]:
    """One case after the other, prepared in a folder inside ``out`` that is removed again."""
    with temporary_folder(out) as cache:
        for number, case in enumerate(cohort.cases):
            progress(number, len(cohort.cases), case.id)
            prepared = prepare_cohort(replace(cohort, cases=(case,)), run.spec.data.preparation, cache)[case.id]
            yield open_case(case, run.outline, prepared, run.modalities, run.spec.sampling.slices)
        progress(len(cohort.cases), len(cohort.cases), "done")


def _cohort(run: FinishedRun, places: Sequence[Path], layout: str | None) -> Cohort:
    source = _source(run, layout)
    cases: list[Case] = []
    for place in places:
        if not place.exists():
            raise InputError(f"expected a case's folder at {place}, found nothing")
        options = {**source.options, "may_lack": ("images", "labels")}
        cases += families.load("layouts", source.layout, options)(place).cases
    return Cohort(run.outline.modalities, tuple(_with_needed(case, run) for case in cases), run.outline.regions)


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
