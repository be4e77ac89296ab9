"""The story of a run: spec -> read, split, fit, predict, score, save."""

from functools import partial
from pathlib import Path

from lightning_fabric import Fabric
from torch import nn

from mrfusion import families
from mrfusion.data.absence import check_files
from mrfusion.data.load import load_cases
from mrfusion.data.read import RunData, read_data
from mrfusion.data.sample import Place
from mrfusion.errors import InputError
from mrfusion.lock import alone
from mrfusion.progress import Progress
from mrfusion.run.answers import rehearse_answers
from mrfusion.run.evaluate_cases import CaseEvaluation
from mrfusion.run.foreign import score_foreign
from mrfusion.run_folder.quantity import SECONDS
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.run_folder.trainings import TRAINED_IN, finished_training
from mrfusion.schedules._base import Phase
from mrfusion.spec import RunSpec
from mrfusion.trackers._base import Tracker
from mrfusion.training.assemble import (
    Parts,
    load_network,
    make_fabric,
    make_model,
    make_network,
    make_training,
    said_precision,
    sample_size,
)
from mrfusion.training.checkpoint import drop_checkpoints
from mrfusion.training.environment import environment, reset_peak
from mrfusion.training.flops import count_flops
from mrfusion.training.inherit import warmed
from mrfusion.training.look_ahead import check_look_ahead
from mrfusion.training.loop import Training, fit, save_weights
from mrfusion.training.optimiser import count_trained
from mrfusion.training.tracking import Tracking


def execute(spec: RunSpec, *, out: Path, cache: Path, progress: Progress) -> Path | None:
    """Carry out one run: the folder of its result, ``out/runs/<digest>``. None where it is done already.

    Raises TakenError where another process is at it.
    """
    study = StudyFolder(out)
    folder = study.run(spec.digest)
    with alone(study.lock_of(spec.digest), f"run {spec.digest} of {out}") as claim:
        if folder.is_done:  # asked where nobody else can be making it
            return None
        _carry_out(spec, study, cache=cache, progress=claim.checked(progress))
    return folder.path


def _carry_out(spec: RunSpec, study: StudyFolder, *, cache: Path, progress: Progress) -> None:
    data = read_data(spec.data, task=spec.task, cache=cache, progress=progress)
    if data.fingerprint != spec.data.fingerprint:
        raise InputError(f"the data are no longer those of run {spec.digest}; begin the study again in another --out")
    with study.run(spec.digest).building() as work:
        if spec.predictions is not None:
            score_foreign(spec, data, work, progress)
        else:
            given = {"spec": spec, "data": data, "folder": work, "progress": progress}
            trained = finished_training(study, spec)
            work_on = partial(fit_and_try, study=study) if trained is None else partial(try_again, trained=trained)
            make_fabric(spec.machine, spec.budget.precision).launch(partial(work_on, **given))
        work.write_spec(spec)
        work.write_outline(data.cohort)


def fit_and_try(
    fabric: Fabric, spec: RunSpec, data: RunData, folder: RunFolder, *, study: StudyFolder, progress: Progress
) -> None:
    """Train on a fold's training cases, try the best epoch on its test cases (or validation, if so asked)."""
    reset_peak(fabric.device)
    rehearse_answers(spec)
    parts = parts_of(spec, data)
    training = make_training(spec, data.cohort, parts, fabric=fabric, folder=folder, progress=progress)
    if spec.origin is not None:
        training = warmed(training, spec.plan, spec.origin)
    training.tracking = _tracking(spec, study, fabric)
    phases = _phases(spec, training)
    history = fit(training, phases)
    if not fabric.is_global_zero:
        return
    save_weights(folder.weights, training.network)
    network = _tried(fabric, spec, data, folder, size=parts.size, progress=progress)
    training.tracking.scores(len(history.of(SECONDS)), folder.read_scores())
    facts = environment(network, history, steps_per_epoch=len(training.batches), device=fabric.device)
    modalities = len(spec.plan.modalities(data.cohort.modalities))
    flops = count_flops(network, parts.size, modalities=modalities, dimensions=spec.sampling.dimensions)
    facts |= {"sample_size": parts.size, "flops": flops, "losses": training.objective.recorded}
    facts |= {"precision": said_precision(spec.budget.precision, fabric.device)}
    facts |= {"trained_parameters": count_trained(phases)}
    folder.write_environment(facts)
    drop_checkpoints(folder)


def try_again(
    fabric: Fabric, spec: RunSpec, data: RunData, folder: RunFolder, *, trained: RunFolder, progress: Progress
) -> None:
    """Take over the training of a finished run, and try its best epoch on this run's cases; nothing is trained.

    What the run cost, and with what it was carried out, is that of the training.
    """
    if not fabric.is_global_zero:
        return
    rehearse_answers(spec)
    folder.copy_training(trained)
    facts = trained.read_environment()
    _tried(fabric, spec, data, folder, size=tuple(facts["sample_size"]), progress=progress)
    folder.write_environment({TRAINED_IN: trained.digest, **facts})
    drop_checkpoints(folder)


def _tried(
    fabric: Fabric, spec: RunSpec, data: RunData, folder: RunFolder, *, size: Place, progress: Progress
) -> nn.Module:
    """The network with the run's weights, its answers scored and kept."""
    network = load_network(spec, data.cohort, folder.weights)
    model = make_model(spec, data.cohort, network=network, size=size, fabric=fabric)
    CaseEvaluation(spec, data, folder, progress).run(model)
    return network


def _tracking(spec: RunSpec, study: StudyFolder, fabric: Fabric) -> Tracking:
    """The trackers that the user asked for, told what the run is; the first process alone speaks."""
    if not fabric.is_global_zero:
        return Tracking()
    names = [families.parse(text).name for text in spec.tracking]
    trackers: list[Tracker] = [
        families.load("trackers", text)(study.tracking(name), spec.digest)
        for name, text in zip(names, spec.tracking, strict=True)
    ]
    facts = {"plan": str(spec.plan), "network": spec.network, "fold": str(spec.fold), "seed": str(spec.seed)}
    for tracker in trackers:
        tracker.begin(facts)
    return Tracking(trackers)


def _phases(spec: RunSpec, training: Training) -> list[Phase]:
    """The phases of the schedule; none where weights are only taken over."""
    if spec.origin is not None and spec.origin.keep:
        return []
    phases: list[Phase] = families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names)
    precision = said_precision(spec.budget.precision, training.fabric.device)
    check_look_ahead(spec, phases, processes=training.fabric.world_size, precision=precision)
    return phases


def parts_of(spec: RunSpec, data: RunData) -> Parts:
    """A fold's training and validation cases for the modalities that the plan reads, and the size of a sample."""
    modalities = spec.plan.modalities(data.cohort.modalities)
    for case in data.cohort.cases:
        check_files(case, spec, modalities)
    cases = load_cases(data.cohort, data.prepared, modalities, spec.sampling.slices)
    split = data.splits[spec.fold]
    size = sample_size(spec, [case.labels.shape for case in cases.values()], make_network(spec, data.cohort))
    return Parts([cases[name] for name in split.train], [cases[name] for name in split.val], size)
