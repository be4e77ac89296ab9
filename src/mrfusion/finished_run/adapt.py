"""A finished run meets another cohort: a study of the run as it is and of the run with its energies adapted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mrfusion.case import Cohort
from mrfusion.data.read import read_cohort, with_modalities
from mrfusion.errors import InputError, OutputError, SpecError
from mrfusion.files import building_anew
from mrfusion.finished_run.load import FinishedRun
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec, Source

BEFORE, AFTER = "as it is", "adapted"
ABSENT = 0.5  # how often training would leave out a modality that is absent in some cases; in all, it always is


@dataclass(frozen=True)
class Adaptation:
    """What a study of it compares: the run that its arms share, and what each arm, by name, changes in it.

    The first arm is the reference. ``notes`` say in words what had to change for the new cases.
    """

    name: str
    question: str
    base: RunSpec
    arms: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Moved:
    """Of a run's numbers: how many there are, how many were trained, how many of all are other than in its parent."""

    parameters: int
    trained: int
    moved: int


def adaptation_of(run: FinishedRun, source: Source, *, epochs: int | None) -> Adaptation:
    """What adapts ``run`` to the cases of ``source``: patients are divided anew, one hold-out, as the run's split says.

    The network keeps a place for every modality of the run; those that the new cases do not have are absent. Where
    regions or classes are others, the last layer begins anew and there is nothing to compare with. InputError where no
    case has any modality of the run, SpecError where the run has nothing to adapt.
    """
    if run.spec.members:
        raise SpecError(f"run {run.spec.digest} is an ensemble; adapt one of its members")
    own = read_cohort([source])
    cohort = with_modalities(own, run.outline.modalities)
    absent = _absent_in(run, cohort)
    new_head = _answers(cohort) != _answers(run.outline)
    changes = {
        "data": {
            "sources": [source.model_dump(mode="json")],
            "modalities": run.outline.modalities if own.modalities != run.outline.modalities else (),
            "preparation": {"resample_to": _grid(run, cohort)},
            "split": {"folds": 1, "file": None},
            "fingerprint": "",
        },
        "absence": _absence(run, absent),
        "rules": "plain" if new_head else run.spec.rules,
        "budget": {} if epochs is None else {"epochs": epochs},
        "origin": None,
        "fold": 0,
        "score_on": "test",
    }
    origin = {"parents": [run.spec.digest], "new_head": new_head}
    before: dict[str, Any] = {} if new_head else {BEFORE: {"origin": {**origin, "keep": True}}}
    return Adaptation(
        name="adaptation",
        question=f"Does adapting the energies of run {run.spec.digest} to {source.path.name} help?",
        base=run.spec.changed(changes),
        arms={**before, AFTER: {"origin": origin, "schedule": "adapt"}},
        notes=tuple(_notes(run, cohort, absent, new_head=new_head)),
    )


def keep_parent(run: FinishedRun, out: Path) -> None:
    """Copy what is needed of the run to the study in ``out``, so that it can move; OutputError for other weights."""
    place = StudyFolder(out).run(run.spec.digest)
    if not place.is_done:
        with building_anew(place.path) as work:
            for path in run.folder.parts_to_go_on:
                (work / path.name).write_bytes(path.read_bytes())
    elif place.weights.read_bytes() != run.folder.weights.read_bytes():
        raise OutputError(f"{place.path} holds other weights than {run.folder.path}; choose another --out")


def moved(parent: RunFolder, child: RunFolder) -> Moved:
    """What training moved, number by number; a last layer of another size has moved as a whole."""
    theirs, mine = (load_file(folder.weights) for folder in (parent, child))
    facts = child.read_environment()
    changed = sum(_differing(theirs.get(name), value) for name, value in mine.items())
    return Moved(facts["parameters"], facts["trained_parameters"], changed)


def _differing(before: torch.Tensor | None, after: torch.Tensor) -> int:
    if before is None or before.shape != after.shape:
        return after.numel()
    return int((before != after).sum())


def _absent_in(run: FinishedRun, cohort: Cohort) -> dict[str, int]:
    """Modality of the run's plan to in how many of the new cases it is absent; only those that are in some."""
    counts = {name: sum(name not in case.images for case in cohort.cases) for name in run.modalities}
    if all(count == len(cohort.cases) for count in counts.values()):
        raise InputError(
            f"expected cases with some of {', '.join(run.modalities)}, which the run's plan reads, found "
            f"{', '.join(cohort.modalities)}; name the modalities in the layout's options as the run does"
        )
    return {name: count for name, count in counts.items() if count}


def _absence(run: FinishedRun, absent: Iterable[str]) -> str | dict[str, float]:
    if isinstance(run.spec.absence, dict) or (run.spec.absence == "none" and list(absent)):
        rates = run.spec.absence if isinstance(run.spec.absence, dict) else {}
        return {**dict.fromkeys(absent, ABSENT), **rates}
    return run.spec.absence


def _grid(run: FinishedRun, cohort: Cohort) -> str | None:
    """The modality whose grid the others are brought to: the run's, or the first that all the new cases have."""
    wanted = run.spec.data.preparation.resample_to
    everywhere = [name for name in cohort.modalities if all(name in case.images for case in cohort.cases)]
    return wanted if wanted is None or wanted in everywhere else next(iter(everywhere), None)


def _answers(cohort: Cohort) -> tuple[object, ...]:
    """What the last layer answers."""
    return tuple(region.name for region in cohort.regions), len(cohort.label_values), cohort.classes


def _notes(run: FinishedRun, cohort: Cohort, absent: dict[str, int], *, new_head: bool) -> list[str]:
    notes = []
    for name, count in absent.items():
        whose = "all" if count == len(cohort.cases) else f"{count} of {len(cohort.cases)}"
        notes.append(f"{name} is absent in {whose} cases")
    if new_head:
        mine, theirs = (", ".join([r.name for r in c.regions] or c.classes) for c in (cohort, run.outline))
        notes.append(f"the last layer begins anew: it answers {mine}, the run answered {theirs}")
    return notes
