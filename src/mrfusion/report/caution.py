"""What stands beside a verdict: that a training has not converged, that a comparison was not planned."""

from mrfusion.comparison.compare import Comparison
from mrfusion.study.load import LoadedStudy


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
