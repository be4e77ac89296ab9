"""Further ways to score the trainings of a study: what may differ in them, found before anything is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from mrfusion.errors import SpecError
from mrfusion.run_folder.trainings import training_of
from mrfusion.spec import RunSpec
from mrfusion.study.choices import check_choices


def check_scorings(scorings: Mapping[str, Mapping[str, Any]], spec: RunSpec, searching: Sequence[str]) -> None:
    """SpecError unless each scoring changes how the run ``spec`` is scored, and nothing of its training.

    ``searching`` are arms that a search answers for: what they train is not known beforehand, so that nothing of a
    study with such arms is scored otherwise.
    """
    if scorings and searching:
        raise SpecError(
            f"scorings: arm {searching[0]!r} is the answer of a search, which is scored in one way alone; write the "
            "arms that train their own plan into a study of their own"
        )
    for name, changes in scorings.items():
        try:
            scored = spec.changed(changes)
            check_choices(scored)
        except SpecError as error:
            raise SpecError(f"scorings: {name}: {error}") from None
        if training_of(scored) != training_of(spec):
            raise SpecError(
                f"scorings: {name} would change the training; write in it metrics, rules, mirror or sampling: "
                "{score: whole} alone"
            )
        if scored.digest == spec.digest:
            raise SpecError(f"scorings: {name} says what the study says itself; change or drop it")
