"""Jobs: the doors through which executors call runs; plain text in, plain values out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mrfusion.case import Cohort
from mrfusion.data.absence import absence_of, check_files
from mrfusion.data.read import read_data
from mrfusion.errors import InputError, SpecError
from mrfusion.families import load
from mrfusion.model.network import FusionNetwork
from mrfusion.model.whole import WholeNetwork
from mrfusion.progress import ProgressFile, silent
from mrfusion.run.execute import execute
from mrfusion.run.timing import measured
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import check_mirror, make_network
from mrfusion.training.objective import make_objective
from mrfusion.training.optimiser import count_parameters


def prepare_data(spec_json: str, out: str, cache: str, arms: Mapping[str, str]) -> dict[str, object]:
    """Fill the cache, write ``cohort.json`` and ``splits.json`` to ``out``; the data's fingerprint and notes, and the
    parameters of each arm's network.

    ``arms`` has a run's specification for each arm; SpecError, before anything runs, where one cannot be built.
    """
    spec, study = RunSpec.model_validate_json(spec_json), StudyFolder(Path(out))
    with ProgressFile(study.progress_of("prepare")) as progress:
        data = read_data(spec.data, task=spec.task, cache=Path(cache), progress=progress)
    specs = {name: RunSpec.model_validate_json(arm_json) for name, arm_json in arms.items()}
    parameters = {name: _checked_size(name, arm, data.cohort) for name, arm in specs.items()}
    study.write_cohort(data.cohort, fingerprint=data.fingerprint, notes=data.notes)
    hashes = {name: prepared.digest for name, prepared in data.prepared.items()}
    study.write_splits(data.cohort.cases, data.splits, hashes)
    return {"fingerprint": data.fingerprint, "notes": data.notes, "parameters": parameters}


def _checked_size(name: str, spec: RunSpec, cohort: Cohort) -> int:
    """Build everything that a run names, so that a modality, file or argument that is not there is found at once; the
    number of parameters of its network."""
    try:
        network = make_network(spec, cohort)
        if isinstance(network, WholeNetwork):
            network.check(spec.network)
        make_objective(spec, cohort)
        load("balancers", spec.balancer)()
        check_mirror(spec)
        for text in spec.tracking:
            load("trackers", text)
        load("schedules", spec.schedule)().phases(network, spec.loss_names)
        absence_of(spec, cohort)
        for case in cohort.cases:
            check_files(case, spec, spec.plan.modalities(cohort.modalities))
    except InputError as error:
        raise type(error)(f"arm {name!r}: {error}") from None
    return count_parameters(network)


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
    found = measured(spec, data, Path(out))
    cases = len(getattr(data.splits[spec.fold], spec.score_on))
    return found.training(spec.budget.epochs) + cases * found.prediction
