"""What stands beside a verdict: what has not converged, was not planned, or rests on one run; regions not there."""

from collections.abc import Sequence

from mrfusion.comparison.compare import Comparison
from mrfusion.report.wording import several
from mrfusion.study.load import LoadedStudy
from mrfusion.study.load_run import LoadedRun


def unfounded(study: LoadedStudy) -> tuple[str, ...]:
    """A sentence for each region that no scored case has, so that its figures are about nothing."""
    cases = len({row.case for row in study.scores})
    return tuple(
        f"{name} is in 0 of {several(cases, 'scored case')}: where both masks are empty the Dice is 1, so its figures "
        "say nothing of the arms, and the means of regions that they enter are lifted"
        for name in study.nowhere
    )


def of_other_rules(study: LoadedStudy) -> tuple[str, ...]:
    """Sentences on runs that another version of mrfusion made by rules that give other numbers; empty without any."""
    counted, left_out = study.other_rules.counted, study.other_rules.left_out
    versions = dict.fromkeys(
        str(found.get("mrfusion"))
        for run in study.runs
        if run.digest in counted and isinstance(found := run.environment.get("versions"), dict)
    )
    by = f" (version {', '.join(versions)})" if versions else ""
    told = []
    if counted and len(counted) == len(study.done):
        told.append(f"All runs are by other rules than this version's{by}; `mrfusion study` makes them again")
    elif counted:
        told.append(
            f"{len(counted)} of the {len(study.done)} runs here were made by other rules than this version's{by}: the "
            f"same specification would give other numbers today. `mrfusion study` makes them again: {_listed(counted)}"
        )
    if left_out:
        told.append(
            f"{several(len(left_out), 'finished run')} in runs/ that other rules made, or an earlier design, "
            f"{'is' if len(left_out) == 1 else 'are'} counted nowhere: {_listed(left_out)}"
        )
    return tuple(told)


def _listed(digests: Sequence[str]) -> str:
    return ", ".join(digests[:6]) + (f" and {len(digests) - 6} more" if len(digests) > 6 else "")


def words(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """``not converged``, ``one parent run``, ``exploratory``; empty where none of them is the case."""
    said = {
        "not converged": unwell(study, row),
        "one parent run": of_one(study, row),
        "exploratory": reasons(study, row),
    }
    return tuple(word for word, found in said.items() if found)


def opening(study: LoadedStudy, row: Comparison) -> str:
    """What the sentence of a comparison begins with; empty, or sentences with a blank behind them."""
    health, alone, added = unwell(study, row), of_one(study, row), reasons(study, row)
    found = f"Not converged: {'; '.join(health)}. " if health else ""
    found += f"One parent run: {'; '.join(alone)}; another run was not tried. " if alone else ""
    return found + (f"Exploratory, because {' and '.join(added)}. " if added else "")


def unwell(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """The arm and the reference, those of them that have not converged, each with what is wrong."""
    arms = [study.health[name] for name in (row.arm, row.reference)]
    return tuple(f"{arm.arm}, {arm}" for arm in arms if not arm.converged)


def of_one(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """The arm and the reference, those whose runs of several folds all begin with one finished run, as adapted ones do.

    Folds then show what other patients change, and not what another parent would.
    """
    found = ((name, study.runs_of(name)) for name in (row.arm, row.reference))
    return tuple(
        f"every fold of {name} begins with run {parent}"
        for name, runs in found
        if len({run.fold for run in runs}) > 1 and (parent := _parent(runs))
    )


def _parent(runs: Sequence[LoadedRun]) -> str:
    """The one run whose weights all of these begin with; empty where there is none, or where they differ."""
    parents = {tuple((run.spec.get("origin") or {}).get("parents", ())) for run in runs if run.state == "done"}
    return ", ".join(parents.pop()) if len(parents) == 1 else ""


def reasons(study: LoadedStudy, row: Comparison) -> tuple[str, ...]:
    """Why a comparison is exploratory; empty where the frozen plan has it, or where no plan was frozen."""
    return study.added.of(row.arm, row.region, row.metric) if study.added else ()
