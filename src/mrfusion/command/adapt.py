"""Adapting a finished run to other patients, modalities or regions, and saying what that took and gave."""

from pathlib import Path

from mrfusion.command.display import say
from mrfusion.command.study import show_study
from mrfusion.data.read import recognised
from mrfusion.executors._base import Executor
from mrfusion.finished_run.adapt import AFTER, Adaptation, adaptation_of, keep_parent, moved
from mrfusion.finished_run.load import FinishedRun
from mrfusion.layouts._base import MAY_LACK
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import Source
from mrfusion.study.design import Arm, Study


def adapt_run(
    run: FinishedRun, data: Path, executor: Executor, *, out: Path, layout: str | None, epochs: int | None
) -> None:
    """Carry out the adaptation as a study of the run as it is and as adapted, and show what share of it moved."""
    text = layout or recognised(data)
    source = Source(path=data.absolute(), layout=text, options={"may_lack": MAY_LACK[:1]})
    found = adaptation_of(run, source, epochs=epochs)
    for note in found.notes:
        say(f"note: {note}")
    keep_parent(run, out)
    done = show_study(study_of(found), executor, out=out, cache=None)
    (child,) = done.runs_of(AFTER)
    share = moved(StudyFolder(out).run(run.spec.digest), child.folder)
    percent = 100 * share.trained / share.parameters
    say(f"trained: {share.trained} of {share.parameters} parameters ({percent:.2g} %), of which {share.moved} moved")
    if not share.moved:
        say("no epoch was better on the validation cases than the run as it was, so that its weights were kept")
    say(f"adapted run: {child.folder.path}")


def study_of(found: Adaptation) -> Study:
    """The study that carries an adaptation out, on its one hold-out with the run's own seed."""
    arms = tuple(Arm(name=name, changes=dict(changes)) for name, changes in found.arms.items())
    return Study(
        name=found.name,
        question=found.question,
        base=found.base,
        arms=arms,
        reference=arms[0].name,
        folds=(0,),
        seeds=(found.base.seed,),
    )
