"""Any table gets the verdicts that the judge gives; where scores stand is told by the table, or by the cases alone."""

import subprocess
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mrfusion
from mrfusion.comparison.compare import compare as judged
from mrfusion.errors import InputError, Note, SpecError
from mrfusion.importers._base import Imported
from mrfusion.outside.places import by_arm, patients_named, placed
from mrfusion.result import ScoreRow


def score_rows(arms=("A", "B"), patients=12, folds=3, seeds=2):
    rng = np.random.default_rng(4)
    return [
        ScoreRow(
            arm, p % folds, s, f"c{p}", f"p{p}", region, "dice", float(np.clip(rng.normal(0.8 + 0.02 * k, 0.05), 0, 1))
        )
        for k, arm in enumerate(arms)
        for p in range(patients)
        for s in range(seeds)
        for region in ("WT", "TC")
    ]


def test_every_form_of_a_table_gets_the_same_verdicts(tmp_path):
    rows = score_rows()
    expected = judged(rows, "A")
    frame = pd.DataFrame([asdict(row) for row in rows])
    path = tmp_path / "scores.csv"
    frame.assign(in_target="yes").to_csv(path, index=False)
    for table in (rows, frame, frame.to_dict("records"), path, str(path)):
        result = mrfusion.compare(table, reference="A")
        assert list(result.comparisons) == expected
        assert list(result) == expected
        assert len(result) == len(expected) == 3
    assert list(result.frame["verdict"]) == [row.verdict for row in expected]
    assert list(result.frame.columns)[:4] == ["arm", "reference", "region", "metric"]


def test_polars_is_asked_for_its_rows_and_gives_its_own_frame(monkeypatch):
    """polars is not installed here; what is relied on is that its frames have to_dicts and its DataFrame a dict."""
    made: list[Any] = []
    frame = type(
        "DataFrame", (), {"__module__": "polars.dataframe", "to_dicts": lambda _: [asdict(r) for r in score_rows()]}
    )
    module = type(sys)("polars")
    vars(module)["DataFrame"] = made.append
    monkeypatch.setitem(sys.modules, "polars", module)
    result = mrfusion.compare(frame(), reference="A")
    assert list(result) == judged(score_rows(), "A")
    _ = result.frame
    assert set(made[0]) >= {"arm", "verdict", "p_holm"}


def test_margins_are_taken(tmp_path):
    assert {row.margin for row in mrfusion.compare(score_rows(), "A", margins={"dice": 0.2})} == {0.2}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([{"arm": "A", "case": "c"}], r"the table, row 1: .*no 'value'"),
        ([{"arm": "A", "case": "c", "value": "much"}], r"row 1: expected one score .*found the value 'much'"),
        ([{"arm": "A", "case": "c", "value": 1, "fold": 0.5}], r"row 1: .*0.5 for a fold"),
        ([{"case": "c", "value": 1}], "the name of the arm"),
        ([{"arm": "A", "case": "c", "value": 1}], "at least one other arm"),
        ([{"arm": "B", "case": "c", "value": 1}], "no arm called 'A'"),
        ([3], "mappings or ScoreRow, found int"),
        (3, "frame of pandas or polars.*found int"),
    ],
)
def test_what_is_no_table_is_one_message(table, message):
    with pytest.raises(InputError, match=message):
        mrfusion.compare(table, reference="A")


def table(cases, value=0.5):
    return [Imported(case, "WT", "dice", value) for case in cases]


def places(rows):
    return sorted({(row.arm, row.case, row.fold, row.seed) for row in rows})


def test_tables_with_the_same_cases_are_seeds_and_others_folds():
    arms = {"A": [table("ab"), table("cd"), table("ab")], "B": [table("cd"), table("ab")]}
    assert places(placed(arms)) == [
        ("A", "a", 0, 0), ("A", "a", 0, 1), ("A", "b", 0, 0), ("A", "b", 0, 1), ("A", "c", 1, 0), ("A", "d", 1, 0),
        ("B", "a", 0, 0), ("B", "b", 0, 0), ("B", "c", 1, 0), ("B", "d", 1, 0),
    ]  # fmt: skip


def test_an_arm_without_folds_leaves_no_arm_any():
    with pytest.warns(Note, match="do not show the same folds"):
        rows = placed({"A": [table("ab"), table("cd")], "B": [table("abcd")]})
    assert {row.fold for row in rows} == {0}


def test_tables_that_share_some_cases_are_refused():
    with pytest.raises(InputError, match=r"A: two of its tables share 1 of 3 cases \(b\)"):
        placed({"A": [table("ab"), table("bc")]})


def test_an_arm_that_lacks_cases_is_noted():
    rows = [{"arm": a, "case": c, "value": 0.5} for a, cases in (("A", "abc"), ("B", "ab")) for c in cases]
    with pytest.warns(Note, match=r"B has no score of 1 of 3 cases \(c\)"):
        mrfusion.compare(rows, reference="A")


def test_patients_by_a_pattern_or_a_table(tmp_path):
    assert patients_named(None) is None
    by_pattern = patients_named(r"GLI-(\d+)")
    assert by_pattern is not None
    assert by_pattern("BraTS-GLI-00012-001") == "00012"
    with pytest.raises(InputError, match="does not match"):
        by_pattern("x")
    with pytest.raises(SpecError, match="a table or a pattern"):
        patients_named("(")
    path = tmp_path / "p.csv"
    path.write_text("case,patient\na,1\n")
    by_table = patients_named(str(path))
    assert by_table is not None
    assert by_table("a") == "1"
    with pytest.raises(InputError, match="names no patient"):
        by_table("b")


def test_a_table_that_names_its_arm_is_overruled_by_the_user():
    row = Imported("a", "WT", "dice", 0.5, arm="theirs")
    assert list(by_arm([("", [row])])) == ["theirs"]
    assert list(by_arm([("mine", [row])])) == ["mine"]
    with pytest.raises(InputError, match="called mine holds the arms theirs, others itself; leave 'mine=' out"):
        by_arm([("mine", [row, Imported("a", "WT", "dice", 0.5, arm="others")])])


COLD = """
import sys, mrfusion
HEAVY = {"numba", "torch", "pandas", "nibabel", "scipy.stats", "scipy.optimize", "scipy.ndimage", "scipy.spatial"}
rows = [{"arm": a, "case": f"c{p}", "value": 0.8 + 0.001 * (p % 7) + 0.01 * (a == "b")} for a in "ab" for p in range(9)]
found = mrfusion.compare(rows, reference="a")
print(len(found), sorted(HEAVY & set(sys.modules)))
"""


def test_a_table_is_judged_without_what_is_slow_to_import():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", COLD], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"
