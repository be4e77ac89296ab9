"""What stands beside a verdict: trainings that have not converged, what was not planned, regions that are nowhere."""

from mrfusion.comparison.compare import Comparison
from mrfusion.report.wording import several
from mrfusion.study.load import LoadedStudy


def unfounded(study: LoadedStudy) -> tuple[str, ...]:
    """A sentence for each region that no scored case has, so that its figures are about nothing."""
    cases = len({row.case for row in study.scores})
    return tuple(
        f"{name} is in 0 of {several(cases, 'scored case')}: where both masks are empty the Dice is 1, so its figures "
        "say nothing of the arms, and the means of regions that they enter are lifted"
        for name in study.nowhere
    )


def words(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """``not converged``, ``exploratory``; empty where neither is the case."""
    return tuple(
        word for word, found in (("not converged", unwell(study, row)), ("exploratory", reasons(study, row))) if found
    )


def opening(study: LoadedStudy, row: Comparison) -> str:
    """What the sentence of a comparison begins with; empty, or sentences with a blank behind them."""
    health, added = unwell(study, row), reasons(study, row)
    found = f"Not converged: {'; '.join(health)}. " if health else ""
    return found + (f"Exploratory, because {' and '.join(added)}. " if added else "")


def unwell(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """The arm and the reference, those of them that have not converged, each with what is wrong."""
    arms = [study.health[name] for name in (row.arm, row.reference)]
    return tuple(f"{arm.arm}, {arm}" for arm in arms if not arm.converged)


def reasons(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """Why a comparison is exploratory; empty where the frozen plan has it, or where no plan was frozen."""
    return study.added.of(row.arm, row.region, row.metric) if study.added else ()
