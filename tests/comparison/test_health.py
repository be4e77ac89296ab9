"""The health of trainings, from histories and scores that are written by hand."""

import math

import pytest

from mrfusion.comparison.health import FEWEST_STEPS, Concern, Health, arm_health, health
from mrfusion.result import ScoreRow

FINE = {"steps": 1000}


def history(*scores: float, phase: int = 1) -> list[tuple[int, str, float]]:
    """A row of each epoch's validation score, its phase and its seconds."""
    return [
        row
        for epoch, score in enumerate(scores, 1)
        for row in ((epoch, "val/score", score), (epoch, "phase", float(phase)), (epoch, "seconds", 1.0))
    ]


def settled(epochs: int = 16) -> list[tuple[int, str, float]]:
    """A score that approaches its end as exp(-8 t / T), best in the middle of the last quarter."""
    curve = [1 - math.exp(-8 * epoch / epochs) for epoch in range(epochs)]
    return history(*curve[:-1], curve[-1] - 0.01)


def scored(region: str, metric: str, *values: float, in_target: bool = True) -> list[ScoreRow]:
    return [
        ScoreRow("a", 0, 0, f"c{number}", f"c{number}", region, metric, value, in_target=in_target)
        for number, value in enumerate(values)
    ]


def kinds(found: Health) -> list[str]:
    return [concern.kind for concern in found.concerns]


def test_a_training_that_has_settled_is_well() -> None:
    found = health(settled(), scored("WT", "dice", 0.8, 0.0), FINE)
    assert found == Health()
    assert found.converged


def test_a_score_that_still_rises() -> None:
    found = health(history(*(0.05 * epoch for epoch in range(12))), [], FINE)
    assert kinds(found) == ["rising"]
    assert str(found.concerns[0]) == "the validation score still rises, 27% of its gain is of the last quarter"


def test_the_last_epoch_is_the_best_by_a_little() -> None:
    """Of a gain of 0.5 the last epoch brings 0.02: 4 %, less than 10 and more than 1."""
    assert kinds(health(history(0.0, 0.3, 0.48, 0.48, 0.48, 0.48, 0.48, 0.5), [], FINE)) == ["last"]
    assert kinds(health(history(0.0, 0.3, 0.498, 0.48, 0.48, 0.48, 0.48, 0.5), [], FINE)) == []


def test_the_best_epoch_within_the_last_quarter_but_not_the_last() -> None:
    assert kinds(health(history(0.0, 0.2, 0.3, 0.3, 0.3, 0.3, 0.4, 0.3), [], FINE)) == ["rising"]


def test_only_the_last_phase_counts() -> None:
    first = history(0.0, 0.2, 0.4, 0.6, phase=1)
    second = [(epoch + 4, name, value) for epoch, name, value in history(0.1, 0.7, 0.7, 0.7, 0.7, 0.69, phase=2)]
    assert health(first + second, [], FINE).converged
    assert kinds(health(first, [], FINE)) == ["rising"]


def test_few_epochs_and_few_steps() -> None:
    found = health(history(0.1, 0.2), [], {"steps": FEWEST_STEPS - 1})
    assert kinds(found) == ["steps", "epochs"]
    assert [str(concern) for concern in found.concerns] == [
        "fewer than 100 optimiser steps, 99",
        "fewer than 4 epochs, which show no curve, 2",
    ]
    assert health(settled(), [], {"steps": FEWEST_STEPS}).converged


@pytest.mark.parametrize("quantity", ["train/dice_ce", "val/dice_ce", "val/score"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite(quantity: str, value: float) -> None:
    rows = [row for row in settled() if (row[0], row[1]) != (3, quantity)]
    found = health([*rows, (3, quantity, value)], [], FINE)
    assert Concern("loss", "a loss or score is not finite", "first in epoch 3") in found.concerns


def test_a_region_that_is_never_predicted() -> None:
    empty = scored("ET", "volume_mm3", 0.0, 0.0) + scored("ET", "dice", 0.0, 0.0)
    found = health(settled(), empty + scored("WT", "volume_mm3", 0.0, 9.0), FINE)
    assert [c.text for c in found.concerns] == ["ET is never predicted"]


def test_a_region_that_no_target_holds_need_not_be_predicted() -> None:
    assert health(settled(), scored("ET", "volume_mm3", 0.0, 0.0, in_target=False), FINE).converged


def test_without_volumes_a_dice_of_zero_everywhere_says_it() -> None:
    assert kinds(health(settled(), scored("ET", "dice", 0.0, 0.0), FINE)) == ["unpredicted"]
    assert health(settled(), scored("ET", "dice", 0.0, 0.1), FINE).converged


def test_a_class_that_is_never_voted_for() -> None:
    votes = scored("LGG", "probability", 0.4, 0.3) + scored("HGG", "probability", 0.6, 0.7)
    assert [c.text for c in health(settled(), votes, FINE).concerns] == ["LGG is never predicted"]


def test_weights_that_were_taken_over_are_asked_for_predictions_only() -> None:
    inherited = [(0, "val/score", 0.3)]
    assert health(inherited, scored("WT", "dice", 0.5), {"steps": 0}).converged
    assert kinds(health(inherited, scored("WT", "dice", 0.0), {"steps": 0})) == ["unpredicted"]


def test_the_runs_of_an_arm_together() -> None:
    rising, few = Concern("rising", "it still rises", "12%"), Concern("steps", "fewer than 100 optimiser steps")
    found = arm_health("late", [Health((rising,)), Health(), Health((few, rising))])
    assert (found.runs, found.unwell, found.converged) == (3, 2, False)
    assert str(found) == "2 of 3 runs: it still rises; fewer than 100 optimiser steps (in 1 of them)"
    assert arm_health("late", [Health()]).converged
