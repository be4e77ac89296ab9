"""Adapting a finished run to other patients, modalities or regions, and saying what that took and gave."""

from pathlib import Path

from mrfusion.command.display import say
from mrfusion.command.study import show_study
from mrfusion.data.read import recognised
from mrfusion.executors._base import Executor
from mrfusion.finished_run.adapt import (
    AFTER,
    EQUAL_STEPS,
    Adaptation,
    Asked,
    adaptation_of,
    keep_parent,
    moved,
    with_equal_time,
)
from mrfusion.finished_run.load import FinishedRun
from mrfusion.layouts._base import MAY_LACK
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import Source
from mrfusion.study.design import Arm, Study
from mrfusion.study.load import LoadedStudy


def adapt_run(run: FinishedRun, data: Path, executor: Executor, asked: Asked, *, out: Path, layout: str | None) -> None:
    """Carry out the adaptation as a study of the run as it is, as adapted and, where it is asked for, of the same
    network trained from nothing for as many steps and for as long; show what share of it moved."""
    text = layout or recognised(data)
    source = Source(path=data.absolute(), layout=text, options={"may_lack": MAY_LACK[:1]})
    found = adaptation_of(run, source, asked)
    for note in found.notes:
        say(f"note: {note}")
    keep_parent(run, out)
    done = show_study(study_of(found), executor, out=out, cache=None)
    if asked.from_nothing:
        found = with_equal_time(found, _seconds(done, AFTER), _seconds(done, EQUAL_STEPS))
        done = show_study(study_of(found), executor, out=out, cache=None)
    children = done.runs_of(AFTER)
    shares = [moved(StudyFolder(out).run(run.spec.digest), child.folder) for child in children]
    percent = 100 * shares[0].trained / shares[0].parameters
    counts = " and ".join(str(share.moved) for share in shares)
    say(f"trained: {shares[0].trained} of {shares[0].parameters} parameters ({percent:.2g} %), of which {counts} moved")
    if not any(share.moved for share in shares):
        say("no epoch was better on the validation cases than the run as it was, so that its weights were kept")
    for child in children:
        say(f"adapted run: {child.folder.path}")


def _seconds(done: LoadedStudy, arm: str) -> float:
    """Of an arm's trainings, all folds together."""
    return sum(float(run.environment["train_seconds"]) for run in done.runs_of(arm))


def study_of(found: Adaptation) -> Study:
    """The study that carries an adaptation out, on the new patients' folds with the run's own seed."""
    arms = tuple(Arm(name=name, changes=dict(changes)) for name, changes in found.arms.items())
    return Study(
        name=found.name,
        question=found.question,
        base=found.base,
        arms=arms,
        reference=found.reference,
        folds=tuple(range(found.base.data.split.folds)),
        seeds=(found.base.seed,),
    )
