"""A finished run meets another cohort: a study of the run as it is, as adapted, and of a training from nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.data.read import read_cohort, with_modalities
from mrfusion.errors import InputError, OutputError, SpecError
from mrfusion.files import building_anew
from mrfusion.finished_run.load import FinishedRun
from mrfusion.plan import FusionPlan
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec, Source
from mrfusion.training.assemble import make_network
from mrfusion.training.energies import has_energy
from mrfusion.training.inherit import inherit

BEFORE, AFTER = "as it is", "adapted"
EQUAL_STEPS, EQUAL_TIME = "from nothing, equal steps", "from nothing, equal time"
ABSENT = 0.5  # how often training would leave out a modality that is absent in some cases; in all, it always is


@dataclass(frozen=True)
class Adaptation:
    """What a study of it compares: the run that its arms share, and what each arm, by name, changes in it.

    ``reference`` is the arm that the others are compared with. ``notes`` say in words what had to change for the new
    cases.
    """

    name: str
    question: str
    base: RunSpec
    arms: Mapping[str, Mapping[str, Any]]
    reference: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """How a run is adapted.

    ``epochs`` None: the run's own number. ``folds`` of the new patients, 1 being one hold-out. ``add``: modalities that
    the run never had. ``from_nothing``: whether the same network is trained from new weights too.
    """

    epochs: int | None = None
    folds: int = 1
    add: tuple[str, ...] = ()
    from_nothing: bool = False


@dataclass(frozen=True)
class Moved:
    """Of a run's numbers: how many there are, how many were trained, how many of all are other than in its parent."""

    parameters: int
    trained: int
    moved: int


def adaptation_of(run: FinishedRun, source: Source, asked: Asked) -> Adaptation:
    """What adapts ``run`` to the cases of ``source``: patients are divided anew, in one hold-out or in folds.

    The network keeps a place for every modality of the run; those that the new cases do not have are absent. Where
    regions or classes are others, the last layer begins anew and the run as it is cannot be compared with. Where
    modalities are added, a further arm adapts the run without them, so that what they give can be told from what
    adapting gives. InputError where no case has any modality of the run, and where the plan cannot be given another;
    SpecError where the run has nothing to adapt.
    """
    if run.spec.members:
        raise SpecError(f"run {run.spec.digest} is an ensemble; adapt one of its members")
    own = read_cohort([source])
    _check_added(run, own, asked.add)
    names = (*run.outline.modalities, *asked.add)
    cohort = with_modalities(own, names)
    absent = _absent_in(run, cohort)
    new_head = _answers(cohort) != _answers(run.outline)
    changes = {
        "plan": str(_with_inputs(run.spec.plan, (*run.modalities, *asked.add))) if asked.add else str(run.spec.plan),
        "data": {
            "sources": [source.model_dump(mode="json")],
            "modalities": names if own.modalities != names else (),
            "preparation": {"resample_to": _grid(run, cohort)},
            "split": {"folds": asked.folds, "file": None},
            "fingerprint": "",
        },
        "absence": _absence(run, absent),
        "rules": "plain" if new_head else run.spec.rules,
        "budget": {} if asked.epochs is None else {"epochs": asked.epochs},
        "origin": None,
        "fold": 0,
        "score_on": "test",
    }
    base = run.spec.changed(changes)
    network = make_network(base, cohort)
    if asked.add:
        inherit(network, base.plan, [run.folder], new_head=new_head)  # what cannot be given another is refused here
    arms = _arms(run, asked, new_head=new_head, energies=has_energy(network))
    return Adaptation(
        name="adaptation",
        question=f"Does adapting the energies of run {run.spec.digest} to {source.path.name} help?",
        base=base,
        arms=arms,
        reference=AFTER if asked.from_nothing else next(iter(arms)),
        notes=tuple(_notes(run, own, absent, asked.add, new_head=new_head)),
    )


def _arms(run: FinishedRun, asked: Asked, *, new_head: bool, energies: bool) -> dict[str, dict[str, Any]]:
    origin = {"parents": [run.spec.digest], "new_head": new_head}
    known = {"plan": str(_with_inputs(run.spec.plan, run.modalities))} if asked.add else {}
    before: dict[str, Any] = {} if new_head else {BEFORE: {**known, "origin": {**origin, "keep": True}}}
    without = {f"adapted without {', '.join(asked.add)}": {**known, "origin": origin, "schedule": "adapt"}}
    schedule = f"adapt(added={len(asked.add)})" if asked.add else "adapt"
    return {
        **before,
        **(without if asked.add and energies else {}),
        AFTER: {"origin": origin, "schedule": schedule},
        **({EQUAL_STEPS: _from_nothing(run)} if asked.from_nothing else {}),
    }


def _from_nothing(run: FinishedRun) -> dict[str, Any]:
    """What trains the network of the arms from new weights: the run's own schedule, or all of it at once."""
    return {"schedule": "end_to_end"} if families.parse(run.spec.schedule).name == "adapt" else {}


def with_equal_time(found: Adaptation, adapted_seconds: float, nothing_seconds: float) -> Adaptation:
    """The adaptation with one more arm: trained from nothing for as many epochs as take the seconds that adapting
    took; ``nothing_seconds`` are those of the arm of equal steps."""
    epochs = found.base.budget.epochs
    fewer = max(1, round(epochs * adapted_seconds / nothing_seconds))
    arm = {**found.arms[EQUAL_STEPS], "budget": {"epochs": fewer}}
    return replace(found, arms={**found.arms, **({EQUAL_TIME: arm} if fewer != epochs else {})})


def _with_inputs(plan: FusionPlan, modalities: Iterable[str]) -> FusionPlan:
    """The plan for these modalities alone, named one by one."""
    return replace(plan, input=str(families.Call("separate", tuple(modalities), ())))


def _check_added(run: FinishedRun, own: Cohort, add: Iterable[str]) -> None:
    for name in add:
        if name in run.outline.modalities:
            raise SpecError(f"--add {name}: the run has {name} already; name modalities that it never had")
        if name not in own.modalities:
            raise SpecError(f"--add {name}: the new cases have {', '.join(own.modalities)}; name one of these")
        if families.parse(run.spec.plan.input).name != "separate":
            raise SpecError(
                f"--add {name}: plan {str(run.spec.plan)!r} reads all modalities by one encoder, and a new one needs "
                "one of its own; adapt a run of 'separate[..]'"
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


def _notes(
    run: FinishedRun, cohort: Cohort, absent: dict[str, int], add: Sequence[str], *, new_head: bool
) -> list[str]:
    notes = [f"{name} is new to the run, and gets an encoder of its own" for name in add]
    unread = [name for name in cohort.modalities if name not in (*run.outline.modalities, *add)]
    if unread:
        notes.append(
            f"{', '.join(unread)} is not read, since the run never had it; --add {unread[0]} gives it an encoder"
        )
    for name, count in absent.items():
        whose = "all" if count == len(cohort.cases) else f"{count} of {len(cohort.cases)}"
        notes.append(f"{name} is absent in {whose} cases")
    if new_head:
        mine, theirs = (", ".join([r.name for r in c.regions] or c.classes) for c in (cohort, run.outline))
        notes.append(f"the last layer begins anew: it answers {mine}, the run answered {theirs}")
    return notes
