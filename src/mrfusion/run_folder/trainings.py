"""One training, tried more than once: which runs of a study are the same training, and which folder already holds it.

A run is a training and what is done with it: it predicts some cases, and scores them by some metrics and rules. An arm
of a study and the network that a search begins with may differ in that second half alone. Then the one that comes later
takes the weights, the history and the costs of the first, and only predicts and scores its own cases. Its folder keeps
its own name, and ``trained_in`` in its ``environment.json`` says whose training it is.
"""

from collections.abc import Iterator
from typing import Any

from mrfusion.errors import MrFusionError
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec

TRAINED_IN = "trained_in"
_AFTER_IT: dict[str, Any] = {
    "score_on": "test",
    "metrics": [],
    "rules": "plain",
    "mirror": False,
    "sampling": {"score": "slab"},
}


def training_of(spec: RunSpec) -> str:
    """A digest of all that decides a run's weights; runs that agree in it are one training."""
    return spec.changed(_AFTER_IT).digest


def is_trained(spec: RunSpec) -> bool:
    """Whether the run trains anything: it neither keeps the weights of others nor scores foreign predictions."""
    return spec.predictions is None and not (spec.origin is not None and spec.origin.keep)


def finished_training(study: StudyFolder, spec: RunSpec) -> RunFolder | None:
    """The finished run of the study that is the training that ``spec`` asks for; None where there is none."""
    if not is_trained(spec):
        return None
    wanted = training_of(spec)
    return next((run for run, other in _alike(study, spec) if training_of(other) == wanted), None)


def _alike(study: StudyFolder, spec: RunSpec) -> Iterator[tuple[RunFolder, RunSpec]]:
    """The finished trainings of the same plan, fold and seed, made by this version's rules."""
    for home in sorted(study.runs.iterdir()):
        run = RunFolder(home)
        try:
            said = run.read_spec_values()
            if (said["plan"], said["fold"], said["seed"]) != (str(spec.plan), spec.fold, spec.seed):
                continue
            other = run.read_spec()
        except (MrFusionError, KeyError):
            continue  # no run, or one of another version: the study itself says so
        if is_trained(other) and other.digest == run.digest:
            yield run, other


def holds_training(run: RunFolder) -> str:
    """The digest of the finished run whose training this one is: its own, or the one that it took over."""
    return str(run.read_environment().get(TRAINED_IN, run.digest))
