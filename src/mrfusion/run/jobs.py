"""Jobs: the doors through which executors call runs; plain text in, plain values out."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mrfusion.case import Cohort
from mrfusion.data.absence import absence_of, check_files
from mrfusion.data.load import OpenedCase, open_case
from mrfusion.data.read import RunData, read_data
from mrfusion.errors import InputError, SpecError
from mrfusion.families import load
from mrfusion.files import temporary_folder
from mrfusion.model.network import FusionNetwork
from mrfusion.progress import ProgressFile, silent
from mrfusion.run.answers import make_answers
from mrfusion.run.execute import execute, parts_of
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import check_mirror, make_fabric, make_model, make_network, make_training
from mrfusion.training.loop import fit
from mrfusion.training.objective import make_objective
from mrfusion.training.optimiser import count_parameters


def prepare_data(spec_json: str, out: str, cache: str, arms: Mapping[str, str]) -> dict[str, object]:
    """Fill the cache, write ``cohort.json`` and ``splits.json`` to ``out``; the data's fingerprint and notes.

    ``arms`` has a run's specification for each arm; SpecError, before anything runs, where one cannot be built.
    """
    spec, study = RunSpec.model_validate_json(spec_json), StudyFolder(Path(out))
    with ProgressFile(study.progress_of("prepare")) as progress:
        data = read_data(spec.data, task=spec.task, cache=Path(cache), progress=progress)
    for name, arm_json in arms.items():
        _check_arm(name, RunSpec.model_validate_json(arm_json), data.cohort)
    study.write_cohort(data.cohort, fingerprint=data.fingerprint, notes=data.notes)
    hashes = {name: prepared.digest for name, prepared in data.prepared.items()}
    study.write_splits(data.cohort.cases, data.splits, hashes)
    return {"fingerprint": data.fingerprint, "folds": len(data.splits), "notes": data.notes}


def _check_arm(name: str, spec: RunSpec, cohort: Cohort) -> None:
    """Build everything that a run names, so that a modality, file or argument that is not there is found at once."""
    try:
        network = make_network(spec, cohort)
        make_objective(spec, cohort)
        load("balancers", spec.balancer)()
        check_mirror(spec)
        load("schedules", spec.schedule)().phases(network, spec.loss_names)
        absence_of(spec, cohort)
        for case in cohort.cases:
            check_files(case, spec, spec.plan.modalities(cohort.modalities))
    except InputError as error:
        raise type(error)(f"arm {name!r}: {error}") from None


def execute_run(spec_json: str, out: str, cache: str) -> str:
    """Carry out one run; the path of its folder."""
    spec = RunSpec.model_validate_json(spec_json)
    with ProgressFile(StudyFolder(Path(out)).progress_of(spec.digest)) as progress:
        return str(execute(spec, out=Path(out), cache=Path(cache), progress=progress))


def describe_space(spec_json: str, fusion: str, out: str) -> list[int]:
    """The parameters that a module adds at each level of the network that a search begins with."""
    spec = RunSpec.model_validate_json(spec_json)
    plan = replace(spec.plan, levels=(fusion,))
    network = make_network(spec.changed({"plan": str(plan)}), StudyFolder(Path(out)).read_outline())
    if not isinstance(network, FusionNetwork) or not network.fusions:
        raise SpecError(f"a search needs a plan in which several streams meet, found {str(spec.plan)!r}")
    return [count_parameters(module) for module in network.fusions]


def estimate_run(spec_json: str, out: str, cache: str) -> float:
    """Seconds that a run would take here, from one shortened epoch and one predicted case; nothing of it is kept."""
    spec = RunSpec.model_validate_json(spec_json)
    data = read_data(spec.data, task=spec.task, cache=Path(cache), progress=silent)
    short = spec.changed({"budget": {"epochs": 1}, "sampling": {"per_case": 1}})
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), parts_of(spec, data)
    with temporary_folder(Path(out)) as folder:
        trainings = [
            make_training(one, data.cohort, parts, fabric=fabric, folder=RunFolder(folder), progress=silent)
            for one in (short, spec)
        ]
        phases = load("schedules", spec.schedule)().phases(trainings[0].network, spec.loss_names)
        fit(trainings[0], phases)  # the first epoch of a process is slow: libraries choose their kernels in it
        each = fit(replace(trainings[0], folder=RunFolder(folder / "again")), phases).of("seconds")  # one epoch a phase
        model = make_model(spec, data.cohort, network=trainings[0].network, size=parts.size, fabric=fabric)
        started = time.perf_counter()
        make_answers(spec, data.cohort, model).predict(_first_of_validation(spec, data))
        one_case = time.perf_counter() - started
    steps = len(trainings[1].batches) / len(trainings[0].batches)
    epochs = [len(phase.epochs(spec.budget.epochs)) for phase in phases]
    training = sum(seconds * count for seconds, count in zip(each, epochs, strict=True)) * steps
    return training + len(getattr(data.splits[spec.fold], spec.score_on)) * one_case


def _first_of_validation(spec: RunSpec, data: RunData) -> OpenedCase:
    name = data.splits[spec.fold].val[0]
    modalities = spec.plan.modalities(data.cohort.modalities)
    return open_case(data.cohort.case(name), data.cohort, data.prepared[name], modalities, spec.sampling.slices)
