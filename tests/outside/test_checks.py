"""What cannot be judged is one message that names it: a score twice, a number that cannot be, nothing to compare."""

import math
from dataclasses import replace
from typing import Any

import pytest

import mrfusion
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.errors import InputError, Note, SpecError
from mrfusion.result import ScoreRow


def rows(**changes: Any) -> list[ScoreRow]:
    made = [ScoreRow(arm, 0, 0, f"c{k}", f"c{k}", "WT", "dice", 0.8 + k / 100) for arm in "ab" for k in range(8)]
    return [replace(row, **changes) for row in made]


def test_a_score_that_stands_there_twice() -> None:
    twice = [*rows(), replace(rows()[0], value=0.1)]
    with pytest.raises(InputError, match=r"case c0: a has two values of dice in WT \(fold 0, seed 0\)"):
        mrfusion.compare(twice, "a")
    other_run = [replace(row, seed=1) for row in rows()]
    assert mrfusion.compare([*rows(), *other_run], "a")[0].seeds == 2


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("dice", 85.2, "dice = 85.2 in WT, and it lies between 0 and 1; divide percentages by 100"),
        ("dice", -0.2, "dice = -0.2 in WT, and it lies between 0 and 1$"),
        ("hd95", -1.0, "hd95 = -1 in WT, and it lies between 0 and inf$"),
    ],
)
def test_a_number_that_the_metric_cannot_have(metric: str, value: float, message: str) -> None:
    given = rows(metric=metric, value=0.5)
    with pytest.raises(InputError, match=f"case c3: a has {message}"):
        mrfusion.compare([*given[:3], replace(given[3], value=value), *given[4:]], "a")


def test_what_was_rounded_is_let_through_and_what_is_no_number_is_noted() -> None:
    given = rows()
    table = [replace(given[0], value=1.0000001), replace(given[1], value=math.inf), *given[2:]]
    with pytest.warns(Note, match=r"a has no number where another arm has one: dice in WT of c1 \(1 of 8\)"):
        found = mrfusion.compare(table, "a")
    assert found[0].patients == 7


def test_what_no_arm_has_is_not_noted() -> None:
    """Where prediction and label lack a region, no arm has a number; the tables count the patients that remain."""
    assert mrfusion.compare([replace(row, value=math.nan) if row.case == "c1" else row for row in rows()], "a")


def test_a_table_in_which_nothing_can_be_compared() -> None:
    with pytest.raises(InputError, match="found none: the tables have no rows"):
        mrfusion.compare([], "a")
    with pytest.raises(InputError, match="a number for a and for another arm, found none"):
        mrfusion.compare(rows(value=math.nan), "a")
    with pytest.raises(InputError, match="which arm is better, such as dice or hd95, found volume_mm3"):
        mrfusion.compare(rows(metric="volume_mm3"), "a")
    with pytest.raises(InputError, match="no arm called None"):
        mrfusion.compare(rows(), None)  # type: ignore[arg-type]


def test_a_metric_that_nobody_knows_is_noted_beside_one_that_is_known() -> None:
    with pytest.warns(Note, match="my own: mrfusion does not know whether more is better, so nothing is said of it"):
        found = mrfusion.compare([*rows(), *rows(metric="my own")], "a")
    assert {row.metric for row in found} == {"dice"}


def test_margins_are_those_of_metrics_that_are_there() -> None:
    with pytest.raises(InputError, match="no metric 'dyce' for its margin; did you mean 'dice'"):
        mrfusion.compare(rows(), "a", margins={"dyce": 0.1})
    with pytest.raises(SpecError, match=r"margins\.dice: expected a number larger than 0"):
        mrfusion.compare(rows(), "a", margins={"dice": -1.0})
    declared = Hypotheses(regions=("WT",), margins={"dice": 0.3})
    assert mrfusion.compare(rows(), "a", declared)[0].margin == 0.3
    assert mrfusion.compare(rows(), "a", declared, margins={"dice": 0.2})[0].margin == 0.2
