"""Jobs: the doors through which executors call runs; plain text in, plain values out."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from torch import nn

from mrfusion.case import Cohort
from mrfusion.data.absence import absence_of, check_files
from mrfusion.data.read import RunData, read_data
from mrfusion.errors import InputError, SpecError, TakenError
from mrfusion.families import load
from mrfusion.model.ensemble import Ensemble
from mrfusion.model.heard import check_heard
from mrfusion.model.network import FusionNetwork
from mrfusion.model.whole import WholeNetwork
from mrfusion.plan import FusionPlan
from mrfusion.planning.doubts import few_slices, too_large
from mrfusion.progress import ProgressFile, silent
from mrfusion.run.answers import rehearse_answers
from mrfusion.run.execute import execute
from mrfusion.run.foreign import check_foreign
from mrfusion.run.timing import Measured, measured
from mrfusion.run.walls import check_grid, check_machine, check_samples, machine_told, room_for_network, threads_note
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import check_mirror, make_network, sample_size
from mrfusion.training.look_ahead import check_look_ahead
from mrfusion.training.objective import make_objective
from mrfusion.training.optimiser import count_parameters


def prepare_data(spec_json: str, out: str, cache: str, arms: Mapping[str, str]) -> dict[str, object]:
    """Fill the cache, write ``cohort.json`` and ``splits.json`` to ``out``; the data's fingerprint and notes, and the
    parameters of each arm's network.

    ``arms`` has a run's specification for each arm, or each fold of one whose predictions are there already; SpecError,
    before anything runs, where one cannot be built, and CaseError for predictions that cannot be scored.
    """
    spec, study = RunSpec.model_validate_json(spec_json), StudyFolder(Path(out))
    every = {name: RunSpec.model_validate_json(arm_json) for name, arm_json in arms.items()}
    specs = {name: arm for name, arm in every.items() if arm.predictions is None}
    parameters, doubts = dict[str, int](), list[str]()
    for name, arm in specs.items():
        with _of_arm(name):
            check_machine(arm.machine)
            rehearse_answers(arm)
    with ProgressFile(study.progress_of("prepare")) as progress:
        data = read_data(spec.data, task=spec.task, cache=Path(cache), progress=progress)
    for name, arm in specs.items():  # one network in memory at a time
        with _of_arm(name):
            network = _checked_network(arm, data.cohort)
            doubts += _doubts(arm, data, network)
        parameters[name] = count_parameters(network)
    for name, arm in every.items():
        if arm.predictions is not None and not study.run(_on(data, arm).digest).is_done:
            with _of_arm(name):
                doubts += [f"{name}: {note}" for note in check_foreign(arm, data)]
    notes = tuple(dict.fromkeys((*data.notes, *doubts)))
    study.write_cohort(data.cohort, fingerprint=data.fingerprint, notes=notes)
    hashes = {name: prepared.digest for name, prepared in data.prepared.items()}
    study.write_splits(data.cohort.cases, data.splits, hashes)
    return {"fingerprint": data.fingerprint, "notes": notes, "parameters": parameters}


def _on(data: RunData, arm: RunSpec) -> RunSpec:
    """The run's specification on these data, which names its folder."""
    return arm.changed({"data": {"fingerprint": data.fingerprint}})


@contextmanager
def _of_arm(name: str) -> Iterator[None]:
    """What is wrong inside the block is told of the arm with this name."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"arm {name!r}: {error}") from None


def _checked_network(spec: RunSpec, cohort: Cohort) -> nn.Module:
    """Build everything that a run names, so that a modality, file or argument that is not there is found at once; the
    network."""
    with machine_told(), room_for_network(spec):
        network = make_network(spec, cohort)
        make_objective(spec, cohort)
    if isinstance(network, WholeNetwork):
        network.check(spec.network)
    with machine_told():
        for plan, one in _members(spec, network):
            check_heard(one, plan)
    load("balancers", spec.balancer)()
    check_mirror(spec)
    for text in spec.tracking:
        load("trackers", text)
    phases = load("schedules", spec.schedule)().phases(network, spec.loss_names)
    check_look_ahead(spec, phases, processes=spec.machine.devices, precision=spec.budget.precision)
    absence_of(spec, cohort)
    for case in cohort.cases:
        check_files(case, spec, spec.plan.modalities(cohort.modalities))
    return network


def _members(spec: RunSpec, network: nn.Module) -> list[tuple[FusionPlan, FusionNetwork]]:
    """The networks of plans that a run answers with: its own, or those of an ensemble."""
    plans, networks = (spec.members, network.members) if isinstance(network, Ensemble) else ((spec.plan,), [network])
    return [(plan, one) for plan, one in zip(plans, networks, strict=True) if isinstance(one, FusionNetwork)]


def _doubts(spec: RunSpec, data: RunData, network: nn.Module) -> Iterator[str]:
    """Sentences about samples that do not fit the cases; a size that was not given is fitted by itself. SpecError where
    they do not fit the memory."""
    shapes = [one.shape(one.modalities) for one in data.prepared.values()]
    size, median = sample_size(spec, shapes, network), [statistics.median(axis) for axis in zip(*shapes, strict=True)]
    check_grid(network, size)
    check_samples(spec, data, size)
    yield from threads_note(spec.machine)
    yield from few_slices(spec.sampling.dimensions, median)
    if spec.sampling.size is not None:
        stride = tuple(network.stride)  # type: ignore[arg-type]
        yield from too_large(size, (1, *stride)[-3:], median)


def execute_run(spec_json: str, out: str, cache: str) -> str | None:
    """Carry out one run; the path of its folder. None where another process is at it, or has made it."""
    spec, study = RunSpec.model_validate_json(spec_json), StudyFolder(Path(out))
    with suppress(TakenError), ProgressFile(study.progress_of(spec.digest)) as progress, machine_told():
        made = execute(spec, out=Path(out), cache=Path(cache), progress=progress)
        return None if made is None else str(made)
    return None


def describe_space(spec_json: str, fusion: str, out: str) -> list[int]:
    """The parameters that a module adds at each level of the network that a search begins with."""
    spec = RunSpec.model_validate_json(spec_json)
    plan = replace(spec.plan, levels=(fusion,))
    network = make_network(spec.changed({"plan": str(plan)}), StudyFolder(Path(out)).read_outline())
    if not isinstance(network, FusionNetwork) or not network.fusions:
        raise SpecError(
            f"expected a plan in which several streams meet for a search to place {fusion} in, found "
            f"{str(spec.plan)!r}; write separate or separate>mean"
        )
    check_heard(network, plan, alone=True)
    return [count_parameters(module) for module in network.fusions]


def estimate_runs(specs_json: Sequence[str], out: str, cache: str, subsets: bool) -> list[float]:
    """Seconds that runs whose steps cost alike would take here, from a few timed pieces of the first of them.

    ``subsets`` says whether each is scored on every subset of its modalities too. Nothing of it is kept.
    """
    specs = [RunSpec.model_validate_json(text) for text in specs_json]
    first = specs[0]
    if first.predictions is not None:
        return [0.0] * len(specs)  # nothing is trained
    data = read_data(first.data, task=first.task, cache=Path(cache), progress=silent)
    with machine_told():
        found = measured(first, data, Path(out))
    return [_seconds(spec, data, found, subsets=subsets) for spec in specs]


def _seconds(spec: RunSpec, data: RunData, found: Measured, *, subsets: bool) -> float:
    """Of one run: its training, its tested cases, and those cases again with every subset of its modalities."""
    trained = spec.origin is None or not spec.origin.keep
    cases = len(getattr(data.splits[spec.fold], spec.score_on))
    modalities = len(spec.plan.modalities(data.cohort.modalities))
    times = 2**modalities if subsets and modalities > 1 else 1
    return (found.training(spec.budget.epochs) if trained else 0.0) + cases * times * found.case
