"""What a study says of its arms before anything is trained: in what each is equal to the reference, in what not."""

from collections.abc import Mapping

from mrfusion.comparison.fairness import differing, several_changes, terms_between
from mrfusion.part import merge
from mrfusion.spec import RunSpec
from mrfusion.study.design import Arm, Study


def terms_at_the_start(study: Study, parameters: Mapping[str, int]) -> list[str]:
    """A sentence for each arm but the reference, and a warning where one changes several things at once.

    ``parameters`` of each arm's network. What trainings take is known from their budgets, seconds are not; an arm that
    a search answers for takes what the search asks for, which nobody knows yet.
    """
    theirs = next(arm for arm in study.arms if arm.name == study.reference)
    found = []
    for arm in study.arms:
        if arm is theirs:
            continue
        said = str(terms_between(_costs(study, arm, parameters), _costs(study, theirs, parameters)))
        if arm.is_foreign or theirs.is_foreign:
            found.append(f"{arm.name} against {theirs.name}: training terms and seeds not known")
            continue
        if said:  # of an arm that a search answers for nothing is known yet
            found.append(f"{arm.name} against {theirs.name}: {said}")
        if warning := several_changes(differing(_content(study, arm), _content(study, theirs))):
            found.append(f"{arm.name} {warning}")
    return found


def _content(study: Study, arm: Arm) -> dict[str, object]:
    return merge(study.base.model_dump(mode="json"), arm.changes)


def _costs(study: Study, arm: Arm, parameters: Mapping[str, int]) -> dict[str, float]:
    """Parameters, epochs, and what optimiser steps are proportional to."""
    if arm.search is not None or arm.is_foreign:
        return {}
    spec: RunSpec = study.spec(arm, fold=study.folds[0], seed=study.seeds[0])
    samples = spec.budget.epochs * spec.sampling.per_case
    steps = samples / spec.budget.batch_size
    return {"parameters": parameters[arm.name], "epochs": spec.budget.epochs, "steps": steps}
