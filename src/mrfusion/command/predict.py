"""Predicting new cases with a finished run, or with all folds and seeds of a study's arm."""

from collections.abc import Sequence
from pathlib import Path

from mrfusion.command.display import one_bar, say
from mrfusion.errors import InputError, nearest
from mrfusion.finished_run.load import FinishedRun, read_run
from mrfusion.finished_run.predict import Asked, predict
from mrfusion.spec import Machine
from mrfusion.study.load import load_study


def predict_cases(
    runs: Sequence[FinishedRun], cases: Sequence[Path], *, out: Path, asked: Asked, layout: str | None, machine: Machine
) -> None:
    """Predict, and say who answers and what was written."""
    if len(runs) > 1:
        say(f"{len(runs)} finished runs answer together, by the mean of their probabilities")
    with one_bar("predicting") as progress:
        written = predict(runs, cases, out=out, asked=asked, layout=layout, machine=machine, progress=progress)
    for path in written:
        say(str(path))


def runs_in(folder: Path, arm: str | None, trust: Sequence[str]) -> list[FinishedRun]:
    """The run in ``folder``, or every finished run of an arm of the study there."""
    return [read_run(folder, trust)] if arm is None else runs_of_arm(folder, arm, trust)


def runs_of_arm(folder: Path, arm: str, trust: Sequence[str]) -> list[FinishedRun]:
    """Every finished run of a study's arm; InputError where there is no such arm or none of its runs is finished."""
    study = load_study(folder)
    names = list(dict.fromkeys(run.arm for run in study.runs))
    if arm not in names:
        raise InputError(f"--arm: the study in {folder} has no arm {arm!r}; {nearest(arm, names)}")
    done = list(dict.fromkeys(run.folder for run in study.runs if run.arm == arm and run.state == "done"))
    if not done:
        raise InputError(f"--arm: no run of {arm!r} is finished in {folder}; run the study first")
    return [read_run(run, trust) for run in done]
